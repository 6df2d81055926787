// A getter looks (and is called by whoever looks: hover, panel, hash); a plain callback cannot be stepped. Neither may run the model, not even to its end.
import { AST_NODE_TYPES, ESLintUtils } from '@typescript-eslint/utils';
import { enclosingFunction, isFunctionExpression, isOp, opTypes } from './op-types.mjs';

export const noModelCallFromGetter = ESLintUtils.RuleCreator.withoutDocs({
  meta: {
    type: 'problem',
    docs: { description: 'no Op is called from a getter or a plain callback' },
    messages: {
      getter: '`{{callee}}` is an Op: a getter only looks and may not run the model.',
      callback: '`{{callee}}` is an Op: a plain callback cannot be stepped; use a loop in a generator.',
    },
    schema: [],
    defaultOptions: [],
  },
  create(context) {
    const types = opTypes(context);

    /** @param {import('@typescript-eslint/utils').TSESTree.FunctionLike} fn */
    function isPlainCallback(fn) {
      if (!isFunctionExpression(fn) || fn.generator) return false;
      const returns = types.expectedReturns(fn);
      return returns.length > 0 && !returns.some(isOp);
    }

    return {
      CallExpression(call) {
        const fn = enclosingFunction(call);
        if (!fn || !types.isOpCall(call)) return;
        const messageId = isGetter(fn) ? 'getter' : isPlainCallback(fn) ? 'callback' : undefined;
        if (messageId) context.report({ node: call, messageId, data: { callee: context.sourceCode.getText(call.callee) } });
      },
    };
  },
});

/** @param {import('@typescript-eslint/utils').TSESTree.FunctionLike} fn */
function isGetter(fn) {
  const owner = fn.parent;
  return (owner.type === AST_NODE_TYPES.MethodDefinition || owner.type === AST_NODE_TYPES.Property) && owner.kind === 'get';
}
