// node build/schema.mjs: writes schemas/irq-scenario.schema.json.
import { writeFileSync } from 'node:fs';
import { SCHEMA_FILE, scenarioSchema } from './scenario-schema.mjs';

writeFileSync(SCHEMA_FILE, scenarioSchema());
