// What leaves the model as an exception: a BUG, a call through NULL, a deadlock.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { RequestError } from './protocol/errors';
import { request } from './protocol/registry';

const FAILURES = 'failures';

export const EXCEPTION_FILTERS: DebugProtocol.ExceptionBreakpointsFilter[] = [
  { filter: FAILURES, label: 'Kernel failures', description: 'Stop where the modelled kernel fails: BUG_ON(), a call or access through NULL, a step that did not return what it expects', default: true },
];

export const exceptionRequests = [
  request('setExceptionBreakpoints', { args: { filters: ['string'] } }, ({ filters }, session) => {
    const unknown = filters.find(filter => filter !== FAILURES);
    if (unknown !== undefined) throw new RequestError(`setExceptionBreakpoints: there is no filter ${unknown}; there is ${FAILURES}`);
    session.catches = filters.includes(FAILURES);
    return { breakpoints: filters.map(() => ({ verified: true })) };
  }),

  request('exceptionInfo', { args: { threadId: 'number' }, capability: 'supportsExceptionInfoRequest', stopped: true }, ({ threadId }, { run }) => {
    const { error, failure = 'error', thread } = run!.stop ?? {};
    if (!error || thread !== threadId) throw new RequestError(`exceptionInfo: thread ${threadId} has not stopped at an exception`);
    return { exceptionId: failure, description: error.message, breakMode: 'userUnhandled', details: { message: error.message, typeName: error.name } };
  }),
];
