// Calling a generator function runs nothing: a model call without `yield*` is lost, and the type checker does not see it.
import { AST_NODE_TYPES, ESLintUtils } from '@typescript-eslint/utils';
import { enclosingFunction, isFunctionExpression, isOp, opTypes } from './op-types.mjs';

/** @typedef {import('@typescript-eslint/utils').TSESTree.Node} Node */

export const yieldStar = ESLintUtils.RuleCreator.withoutDocs({
  meta: {
    type: 'problem',
    docs: { description: 'a call of an Op stands behind `yield*`, or where an Op is expected' },
    messages: { lost: 'This calls an Op without running it: write `yield* {{callee}}(...)`, or pass `() => {{callee}}(...)` where an Op is expected.' },
    schema: [],
    defaultOptions: [],
  },
  create(context) {
    const types = opTypes(context);

    /** Is the value of this node, an Op, run or handed to someone who takes an Op? @param {Node} node @returns {boolean} */
    function isTaken(node) {
      const parent = node.parent;
      switch (parent?.type) {
        case AST_NODE_TYPES.YieldExpression:
          return parent.delegate;
        case AST_NODE_TYPES.ChainExpression:
        case AST_NODE_TYPES.TSAsExpression:
        case AST_NODE_TYPES.TSNonNullExpression:
        case AST_NODE_TYPES.TSSatisfiesExpression:
        case AST_NODE_TYPES.LogicalExpression:
          return isTaken(parent);
        case AST_NODE_TYPES.ConditionalExpression:
          return parent.test !== node && isTaken(parent);
        case AST_NODE_TYPES.CallExpression:
          return parent.callee !== node && types.expectsOp(node);
        case AST_NODE_TYPES.ArrowFunctionExpression:
          return parent.body === node && returnsOp(parent);
        case AST_NODE_TYPES.ReturnStatement: {
          const fn = enclosingFunction(parent);
          return fn !== undefined && !fn.generator && returnsOp(fn);
        }
        default:
          return false;
      }
    }

    /** @param {import('@typescript-eslint/utils').TSESTree.FunctionLike} fn */
    function returnsOp(fn) {
      const expected = isFunctionExpression(fn) ? types.expectedReturns(fn) : [];
      return (expected.length > 0 ? expected : types.declaredReturns(fn)).some(isOp);
    }

    return {
      CallExpression(call) {
        if (!types.isOpCall(call) || isTaken(call)) return;
        context.report({ node: call, messageId: 'lost', data: { callee: context.sourceCode.getText(call.callee) } });
      },
    };
  },
});
