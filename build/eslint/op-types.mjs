// What the rules ask the type checker: is this an Op, and is an Op wanted here?
import { AST_NODE_TYPES, ESLintUtils } from '@typescript-eslint/utils';

/** @typedef {import('@typescript-eslint/utils').TSESTree.Node} Node */
/** @typedef {import('@typescript-eslint/utils').ParserServicesWithTypeInformation} Services */
/** @typedef {import('typescript').Type} Type */

/** An `Op` is an alias of Generator. @param {Type} type @returns {boolean} */
export function isOp(type) {
  return type.isUnion() ? type.types.some(isOp) : nameOf(type) === 'Generator';
}

/** Intrinsic types have no symbol, whatever the declarations say. @param {{ symbol?: import('typescript').Symbol }} type */
const nameOf = type => type.symbol?.name;

/**
 * @param {Readonly<import('@typescript-eslint/utils').TSESLint.RuleContext<string, readonly unknown[]>>} context
 */
export function opTypes(context) {
  const services = ESLintUtils.getParserServices(context);
  const checker = services.program.getTypeChecker();

  /** @param {import('@typescript-eslint/utils').TSESTree.CallExpression} call */
  const isOpCall = call => isOp(services.getTypeAtLocation(call));

  /** The type that the place of an expression expects of it. @param {Node} node */
  function expectedType(node) {
    const expression = /** @type {import('typescript').Expression} */ (services.esTreeNodeToTSNodeMap.get(node));
    return checker.getContextualType(expression);
  }

  /**
   * What the place of a function expression expects the function to return; nothing where no function type is expected.
   * @param {Node} fn
   */
  function expectedReturns(fn) {
    const expected = expectedType(fn);
    if (!expected) return [];
    const parts = expected.isUnion() ? expected.types : [expected];
    return parts.flatMap(part => part.getCallSignatures().map(signature => signature.getReturnType()));
  }

  /** @param {import('@typescript-eslint/utils').TSESTree.FunctionLike} fn */
  function declaredReturns(fn) {
    return services.getTypeAtLocation(fn).getCallSignatures().map(signature => signature.getReturnType());
  }

  /** @param {Node} node */
  function expectsOp(node) {
    const expected = expectedType(node);
    return expected !== undefined && isOp(expected);
  }

  return { isOpCall, expectsOp, expectedReturns, declaredReturns };
}

/**
 * The function whose body a node runs in.
 * @param {Node} node
 * @returns {import('@typescript-eslint/utils').TSESTree.FunctionLike | undefined}
 */
export function enclosingFunction(node) {
  for (let at = node.parent; at; at = at.parent) {
    if (isFunctionExpression(at) || at.type === AST_NODE_TYPES.FunctionDeclaration) return at;
  }
  return undefined;
}

/**
 * @param {Node} node
 * @returns {node is import('@typescript-eslint/utils').TSESTree.ArrowFunctionExpression | import('@typescript-eslint/utils').TSESTree.FunctionExpression}
 */
export const isFunctionExpression = node =>
  node.type === AST_NODE_TYPES.ArrowFunctionExpression || node.type === AST_NODE_TYPES.FunctionExpression;
