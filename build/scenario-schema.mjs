// The scenario files' JSON schema, made from the types that the loader uses.
import { join } from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';
import { root } from './project.mjs';

export const SCHEMA_FILE = join(root, 'schemas', 'irq-scenario.schema.json');

/** @returns {string} the text of schemas/irq-scenario.schema.json */
export function scenarioSchema() {
  const generator = createGenerator({
    path: join(root, 'src', 'scenario', 'scenario-file.ts'),
    tsconfig: join(root, 'tsconfig.json'),
    type: 'ScenarioFile',
    extraTags: ['expected'],
    topRef: false,
    skipTypeCheck: true,
  });
  return `${JSON.stringify(generator.createSchema('ScenarioFile'), null, 2)}\n`;
}
