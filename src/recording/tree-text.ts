import type { HardwareEvent } from '../hardware/events';
import { errnoName } from '../kernel/lib/errno';
import { limit_text } from '../kernel/lib/limit';
import { hex } from '../text/format';
import type { Call, Item } from './call-tree';

/** A step with all its calls, one a line, indented by depth. */
export function stepText(step: Call, result: number | undefined): string {
  const lines = [`${step.path}:${step.line}: ${step.name}`];
  addItems(lines, step, '  ');
  if (result !== undefined) lines.push(`  = ${errnoName(result) ?? result}`);
  lines.push(...limitsOf(step).map(limit => `  # ${limit}`));
  return `${lines.join('\n')}\n`;
}

/** What ran out in a step and whatever it called, each limit once. */
export function limitsOf(call: Call): string[] {
  const own = call.items.flatMap(item => ('limit' in item ? [limit_text(item.limit)] : 'call' in item ? limitsOf(item.call) : []));
  return [...new Set(own)];
}

function addItems(lines: string[], { items, cpu }: Call, indent: string): void {
  for (const item of items) {
    lines.push(`${indent}${itemText(item, cpu)}`);
    if ('call' in item) addItems(lines, item.call, `${indent}  `);
  }
}

/** One line of a tree. @param cpu the caller's */
export function itemText(item: Item, cpu: number): string {
  if ('trace' in item) return `* ${item.trace.event}: ${item.trace.text}`;
  if ('log' in item) return `! ${item.log.text}`;
  if ('limit' in item) return `# ${limit_text(item.limit)}`;
  if ('hardware' in item) return `~ ${hardwareText(item.hardware)}`;
  const { call } = item;
  const args = call.args.filter(arg => arg.value !== undefined).map(arg => `${arg.name}=${String(arg.value)}`);
  return `${entered(call, cpu)}${call.name}(${args.join(', ')})`;
}

/** "[CPU 2, common_interrupt] " where an interrupt enters or another CPU takes over. */
function entered(call: Call, cpu: number): string {
  if (call.context === undefined && call.cpu === cpu) return '';
  return `[CPU ${call.cpu}${call.context === undefined ? '' : `, ${call.context}`}] `;
}

/** One sentence of what the hardware did. */
export function hardwareText(event: HardwareEvent): string {
  switch (event.kind) {
    case 'message':
      return `${requester(event.requesterId)} writes ${hex(event.data)} to ${hex(event.addressLo, 8)}`;
    case 'memory write':
      return `${requester(event.requesterId)} writes ${hex(event.data)} to ${hex(event.addressLo, 8)}: no interrupt`;
    case 'held back':
      return `${requester(event.requesterId)} entry ${event.entry} sends no message: ${event.why}`;
    case 'collected':
      return `${requester(event.requesterId)} writes ${hex(event.data)} to ${hex(event.addressLo, 8)} below VMD ${requester(event.by)}, for its entry ${event.index}`;
    case 'open slot rewritten':
      return `${requester(event.requesterId)} slot ${event.slot} may send: with ${event.word} rewritten it would write ${hex(event.data)} to ${hex(event.addressLo, 8)}`;
    case 'queue command':
      return `${requester(event.requesterId)} ${event.taken ? 'takes over' : 'loses the command for'} message ${event.slot} of queue ${event.queue}: ${hex(event.data)} to ${hex(event.addressLo, 8)}${event.masked ? ', masked' : ''}`;
    case 'sent on the host':
      return `${requester(event.requesterId)} slot ${event.slot} writes ${hex(event.data)} to ${hex(event.addressLo, 8)} on the host, which did not see that message being written: the guest gets no interrupt`;
    case 'host entries': {
      const { index, count, vector, vps } = event;
      const what = `${count === 1 ? `entry ${index}` : `entries ${index} to ${index + count - 1}`} of ${requester(event.requesterId)}, vector ${vector} of virtual processor ${vps.join(', ')}`;
      return `Hyper-V host: ${event.made ? 'makes' : 'drops'} ${what}`;
    }
    case 'no host entry':
      return `Hyper-V host: no entry for ${requester(event.requesterId)}: ${event.why}`;
    case 'redirected':
      return `Hyper-V host: entry ${event.index} is vector ${event.vector} of virtual processor ${event.vp}`;
    case 'unknown message':
      return `Hyper-V host: no entry for ${hex(event.data)} at ${hex(event.addressLo, 8)} from ${requester(event.requesterId)} on ${event.instance}: the interrupt is lost`;
    case 'retarget':
      return `Hyper-V host: ${hex(event.data)} at ${hex(event.address, 8)} shall be vector ${event.vector} of virtual processor ${event.vps.join(', ')}: ${event.status === 0 ? 'done' : `status ${event.status}`}`;
    case 'remapped':
      return `remapping unit ${event.unit}: entry ${event.index} is ${hex(event.high, 16)} ${hex(event.low, 16)}${event.cached ? ' (cached)' : ''}`;
    case 'posted':
      return `remapping unit ${event.unit}: entry ${event.index} posts vector ${event.vector}`;
    case 'fault':
      return `remapping unit ${event.unit}: fault ${hex(event.reason)}, ${requester(event.sourceId)}, ${event.index < 0 ? 'no entry' : `entry ${event.index}`}`;
    case 'hypercall':
      return `Xen: ${event.op}(${Object.entries(event.arg).map(([name, value]) => `${name}=${value}`).join(', ')}) = ${errnoName(event.result) ?? event.result}`;
    case 'event':
      return `Xen: pirq ${event.pirq} is event channel ${event.port}, of virtual CPU ${event.vcpu}`;
    case 'event elsewhere':
      return `Xen: pirq ${event.pirq} of domain ${event.domid} is an event there`;
    case 'dropped':
      return `Xen: ${event.what} is lost: ${event.why}`;
    case 'ipi':
      return `CPU ${event.from} sends an IPI, vector ${event.request.vector}`;
    case 'accepted':
      return `CPU ${event.cpu}: local APIC accepts vector ${event.vector}${event.merged ? ', which waited there already' : ''}`;
    case 'signal':
      return `CPU ${event.cpu}: delivery mode ${event.delivery}`;
    case 'lost':
      return `vector ${event.request.vector} is lost: ${event.why}`;
    case 'taken':
      return `CPU ${event.cpu} takes vector ${event.vector}`;
    case 'eoi':
      return `CPU ${event.cpu}: end of interrupt${event.vector === null ? ', nothing was in service' : `, vector ${event.vector}`}`;
  }
}

/** bus << 8 | devfn as "00:04.0". */
function requester(id: number): string {
  const digits = (value: number): string => value.toString(16).padStart(2, '0');
  return `${digits(id >> 8)}:${digits((id >> 3) & 31)}.${id & 7}`;
}
