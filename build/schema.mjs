// node build/schema.mjs: writes schemas/irq-scenario.schema.json, and what the functions of irqstep/model take.
import { writeFileSync } from 'node:fs';
import { modelParameters, PARAMETERS_FILE } from './model-parameters.mjs';
import { SCHEMA_FILE, scenarioSchema } from './scenario-schema.mjs';

writeFileSync(SCHEMA_FILE, scenarioSchema());
writeFileSync(PARAMETERS_FILE, modelParameters());
