import { join } from 'node:path';
import { RuleTester, type Rule } from 'eslint';
import tseslint from 'typescript-eslint';
import { layers } from '../../build/eslint/layers.mjs';
import { noModelCallFromGetter } from '../../build/eslint/no-model-call-from-getter.mjs';
import { yieldStar } from '../../build/eslint/yield-star.mjs';

const root = process.cwd();
const typed = new RuleTester({
  languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true, tsconfigRootDir: root } },
});
const untyped = new RuleTester({ languageOptions: { parser: tseslint.parser } });

/** The same rule for both: typescript-eslint's type of a rule knows more kinds of nodes than ESLint's own. */
function rule(typescriptRule: unknown): Rule.RuleModule {
  return typescriptRule as Rule.RuleModule;
}

/** Code with an Op, a function that takes an Op and one that takes a thunk of one before it. */
const op = (code: string) => ({
  name: code,
  filename: join(root, 'test/lint/fixture.ts'),
  code: `
    type Op<T = void> = Generator<number, T, void>;
    declare function alloc(virq: number): Op<number>;
    declare function drain<T>(op: Op<T>): T;
    declare function spawn(task: { name: string; run: () => Op<void>; ready?: () => boolean }): void;
    declare const chip: { irq_ack?: (irq: number) => Op<void> } | null;
    ${code}`,
});
const lost = [{ messageId: 'lost' }];

typed.run('irqstep/yield-star', rule(yieldStar), {
  valid: [
    op('function* f(): Op { yield* alloc(1); }'),
    op('function* f(): Op<number> { return 1 + (yield* alloc(1)); }'),
    op('function* f(c: boolean): Op<number> { return yield* c ? alloc(1) : alloc(2); }'),
    op('function* f(): Op { yield* (chip?.irq_ack?.(1) ?? nothing()); } function* nothing(): Op {}'),
    op('function* f(): Op { yield* chip!.irq_ack!(1); }'),
    op("function* task(): Op { yield* alloc(1); } spawn({ name: 'probe', run: () => task() });"),
    op("function* task(): Op { yield* alloc(1); } spawn({ name: 'probe', run: task });"),
    op('function later(virq: number): Op<number> { return alloc(virq); }'),
    op('const later = () => alloc(1); function* f(): Op { yield* later(); }'),
    op('export const n = drain(alloc(1));'),
    op('function* f(): Op<number[]> { const all: number[] = []; for (const i of [1, 2]) all.push(yield* alloc(i)); return all; }'),
  ],
  invalid: [
    { ...op('function* f(): Op { alloc(1); }'), errors: lost },
    { ...op('function* f(): Op { yield alloc(1) as never; }'), errors: lost },
    { ...op('function* f(): Op { const virq = alloc(1); }'), errors: lost },
    { ...op('function* f(): Op<boolean> { return alloc(1) ? true : false; }'), errors: lost },
    { ...op('function* f(): Op<Op<number>> { return alloc(1); }'), errors: lost },
    { ...op('function* f(): Op { chip?.irq_ack?.(1); }'), errors: lost },
    { ...op('function* f(): Op { [1, 2].forEach(i => alloc(i)); }'), errors: lost },
    { ...op('function* f(): Op { [1, 2].forEach(i => { return alloc(i); }); }'), errors: lost },
    { ...op('function* f(): Op { console.log(alloc(1)); }'), errors: lost },
    { ...op('function* f(): Op { if (alloc(1)) return; }'), errors: lost },
  ],
});

typed.run('irqstep/no-model-call-from-getter', rule(noModelCallFromGetter), {
  valid: [
    op("spawn({ name: 'probe', run: () => task() }); function* task(): Op { yield* alloc(1); }"),
    op('const irq = { get vector() { return 32; }, *alloc(): Op<number> { return yield* alloc(1); } };'),
    op('const run = (virq: number) => drain(alloc(virq));'),
    op('function test() { return drain(alloc(1)); }'),
    op('[1, 2].forEach(i => Math.abs(i));'),
  ],
  invalid: [
    { ...op('class Irq { get vector() { return drain(alloc(1)); } }'), errors: [{ messageId: 'getter' }] },
    { ...op('const irq = { get vector(): number { return alloc(1).next().value; } };'), errors: [{ messageId: 'getter' }] },
    { ...op('[1, 2].map(i => drain(alloc(i)));'), errors: [{ messageId: 'callback' }] },
    { ...op('[1, 2].forEach(function (i) { for (const stop of alloc(i)) console.log(stop); });'), errors: [{ messageId: 'callback' }] },
    {
      ...op("function* task(): Op {} spawn({ name: 'probe', run: task, ready: () => drain(alloc(1)) > 0 });"),
      errors: [{ messageId: 'callback' }],
    },
  ],
});

const file = (filename: string, code: string) => ({ filename: join(root, filename), code });
const layer = [{ messageId: 'layer' }];

untyped.run('irqstep/layers', rule(layers), {
  valid: [
    file('src/kernel/irq/msi.ts', "import type { Op } from '../../stepper/op';"),
    file('src/kernel/arch/x86/apic/vector.ts', "import { LocalApic } from '../../../../hardware/apic'; import { x } from '../../../irq/matrix';"),
    file('debug-adapter/main.ts', "import { Stepper } from '../src/stepper/stepper';"),
    file('webview/panel.ts', "import type { Snapshot } from '../debug-adapter/panel-protocol'; import { html } from 'lit';"),
    file('src/extension/extension.ts', "import * as vscode from 'vscode';"),
    file('test/kernel/matrix.test.ts', "import { x } from '../../src/kernel/irq/matrix';"),
  ],
  invalid: [
    { ...file('src/kernel/irq/msi.ts', "import { $ } from '../../stepper/runtime';"), errors: layer },
    { ...file('src/kernel/irq/msi.ts', "export * from '../../scenario/parse';"), errors: layer },
    { ...file('src/hardware/apic.ts', "import type { irq_desc } from '../kernel/irq/irqdesc';"), errors: layer },
    { ...file('src/stepper/stepper.ts', "import { World } from '../kernel/world';"), errors: layer },
    { ...file('src/scenario/run.ts', "import { serve } from '../../debug-adapter/main';"), errors: layer },
    { ...file('webview/panel.ts', "import { session } from '../debug-adapter/session';"), errors: layer },
    { ...file('debug-adapter/session.ts', "import * as vscode from 'vscode';"), errors: [{ messageId: 'vscode' }] },
  ],
});
