import { listOf, sectionsOf, type Parsed, type Section, type Unread } from './files';

/** `domain ...` of irqlens.txt. */
export interface DomainState {
  readonly name: string;
  readonly fwnode: string;
  /** null for the root */
  readonly parent: string | null;
  readonly bus_token: number;
  readonly flags: number;
  readonly mapped: number;
  readonly hwirq_max: bigint;
}

export interface CpumapState {
  readonly cpu: number;
  readonly online: boolean;
  readonly available: number;
  readonly allocated: number;
  readonly managed: number;
  readonly managed_allocated: number;
  readonly alloc_map: readonly number[];
  readonly managed_map: readonly number[];
}

export interface MatrixState {
  readonly bits: number;
  readonly alloc_start: number;
  readonly alloc_end: number;
  readonly global_available: number;
  readonly global_reserved: number;
  readonly systembits_inalloc: number;
  readonly total_allocated: number;
  readonly online_maps: number;
  readonly system: readonly number[];
  readonly cpus: readonly CpumapState[];
}

/** apic_chip_data, with what cfg says. */
export interface VectorState {
  readonly vector: number;
  readonly cpu: number;
  readonly prev_vector: number;
  readonly prev_cpu: number;
  readonly dest_apicid: number;
  readonly cfg_vector: number;
  readonly move_in_progress: boolean;
  readonly is_managed: boolean;
  readonly can_reserve: boolean;
  readonly has_reserved: boolean;
}

export interface IrteState {
  readonly index: number;
  readonly sub_handle: number;
  readonly mask: number;
  readonly low: bigint;
  readonly high: bigint;
}

/** The AMD-IR level: which entry, and as much of it as the module shows. */
export interface AmdIrteState {
  readonly devid: number;
  readonly index: number;
  /** the entry if it has 32 bits */
  readonly irte32: number;
  /** the lower half if it has 128 */
  readonly entry_lo: bigint;
}

/** One irq_data of a chain, outermost first. */
export interface LevelState {
  /** null: the irq_data has no domain */
  readonly domain: string | null;
  readonly chip: string | null;
  readonly hwirq: number;
  readonly vector?: VectorState;
  readonly irte?: IrteState;
  readonly amdIrte?: AmdIrteState;
}

export interface MsiState {
  readonly dev: string;
  readonly index: number;
  readonly is_msix: boolean;
  readonly is_64: boolean;
  readonly maskbit: boolean;
  readonly multiple: number;
  readonly nvec: number;
  readonly base_irq: number;
  readonly address_hi: number;
  readonly address_lo: number;
  readonly data: number;
  readonly affinity_masks: boolean;
}

export interface IrqState {
  readonly irq: number;
  readonly state: number;
  readonly node: number;
  readonly affinity: readonly number[];
  readonly effective: readonly number[];
  readonly chain: readonly LevelState[];
  readonly msi?: MsiState;
}

/** One look of the module irqlens at the machine. */
export interface Snapshot extends Section {
  readonly domains: readonly DomainState[];
  readonly matrix: MatrixState | undefined;
  readonly irqs: readonly IrqState[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Building = { domains: DomainState[]; matrix: (Mutable<MatrixState> & { cpus: CpumapState[] }) | undefined; irqs: (Mutable<IrqState> & { chain: LevelState[] })[] };

/** Reads irqlens.txt. */
export function parseSnapshots(text: string, file = 'irqlens.txt'): Parsed<Snapshot[]> {
  const unread: Unread[] = [];
  const value = sectionsOf(text).map(section => {
    const building: Building = { domains: [], matrix: undefined, irqs: [] };
    section.lines.forEach((line, i) => {
      if (!readLine(line, building)) unread.push({ file, line: section.firstLine + i, text: line });
    });
    return { ...section, ...building };
  });
  return { value, unread };
}

const DOMAIN = /^domain (\S+) fwnode (\S+) parent (\S+) bus_token (\d+)\(\S+\) flags (0x[\da-f]+) mapped (\d+) hwirq_max (0x[\da-f]+)(?: dev \S+)?$/;
const MATRIX = /^matrix bits (\d+) alloc_start (\d+) alloc_end (\d+) global_available (\d+) global_reserved (\d+) systembits_inalloc (\d+) total_allocated (\d+) online_maps (\d+)$/;
const SYSTEM = /^ {2}system (\S*)$/;
const CPU = /^ {2}cpu (\d+) online ([01]) available (\d+) allocated (\d+) managed (\d+) managed_allocated (\d+) alloc_map (\S*) managed_map ?(\S*)$/;
const IRQ = /^irq (\d+)$/;
const STATE = /^ {2}state (0x[\da-f]+) type 0x[\da-f]+ node (-?\d+) aff (\S*) eff ?(\S*)$/;
const FLAGS = /^ {2}flags[ A-Z_]*$/;
// A chip's name may have blanks, so its end is where " hwirq " begins.
const LEVEL = /^ {2}\[(\d+)\] domain (\S+) chip (.+?) hwirq (0x[\da-f]+)(.*)$/;
const VECTOR = /^ vector (\d+)\(0x[\da-f]+\) cpu (\d+) prev_vector (\d+) prev_cpu (\d+) dest_apicid (\d+) cfg_vector (\d+) mip ([01]) mgd ([01]) can_res ([01]) has_res ([01])$/;
const IRTE = /^ irte_index (\d+) sub_handle (\d+) irte_mask (\d+)(?: mode \d+)? irte_lo (0x[\da-f]+) irte_hi (0x[\da-f]+)$/;
const AMD_IRTE = /^ devid (0x[\da-f]+) index (\d+) irte32 (0x[\da-f]+) entry_lo (0x[\da-f]+)$/;
const MSI = /^ {2}msi dev (\S+) index (\d+) (MSIX|MSI)( 64)? (?:maskbit|can_mask) (\d+) multiple (\d+) nvec (\d+) base_irq (\d+) addr_hi (0x[\da-f]+) addr_lo (0x[\da-f]+) data (0x[\da-f]+) affmasks ([01])$/;

const numbers = (match: RegExpExecArray): number[] => match.slice(1).map(Number);

/** @returns whether the line was understood */
function readLine(line: string, into: Building): boolean {
  return readMachineLine(line, into) || readIrqLine(line, into);
}

function readMachineLine(line: string, into: Building): boolean {
  const domain = DOMAIN.exec(line);
  if (domain) {
    const [, name, fwnode, parent, bus_token, flags, mapped, hwirq_max] = domain;
    into.domains.push({
      name: name,
      fwnode: fwnode,
      parent: parent === '-' ? null : parent,
      bus_token: Number(bus_token),
      flags: Number(flags),
      mapped: Number(mapped),
      hwirq_max: BigInt(hwirq_max),
    });
    return true;
  }
  const matrix = MATRIX.exec(line);
  if (matrix) {
    const [bits, alloc_start, alloc_end, global_available, global_reserved, systembits_inalloc, total_allocated, online_maps] = numbers(matrix) as [number, number, number, number, number, number, number, number];
    into.matrix = { bits, alloc_start, alloc_end, global_available, global_reserved, systembits_inalloc, total_allocated, online_maps, system: [], cpus: [] };
    return true;
  }
  return into.matrix !== undefined && readMapLine(line, into.matrix);
}

function readMapLine(line: string, matrix: NonNullable<Building['matrix']>): boolean {
  const system = SYSTEM.exec(line);
  if (system) {
    const bits = listOf(system[1], matrix.bits);
    if (bits) matrix.system = bits;
    return bits !== undefined;
  }
  const cpu = CPU.exec(line);
  const alloc_map = cpu && listOf(cpu[7], matrix.bits);
  const managed_map = cpu && listOf(cpu[8], matrix.bits);
  if (!cpu || !alloc_map || !managed_map) return false;
  const [n, online, available, allocated, managed, managed_allocated] = numbers(cpu) as [number, number, number, number, number, number];
  matrix.cpus.push({ cpu: n, online: online === 1, available, allocated, managed, managed_allocated, alloc_map, managed_map });
  return true;
}

function readIrqLine(line: string, into: Building): boolean {
  const start = IRQ.exec(line);
  if (start) {
    into.irqs.push({ irq: Number(start[1]), state: 0, node: -1, affinity: [], effective: [], chain: [] });
    return true;
  }
  const irq = into.irqs.at(-1);
  if (!irq) return false;
  const state = STATE.exec(line);
  if (state) {
    const affinity = listOf(state[3]);
    const effective = listOf(state[4]);
    if (affinity && effective) Object.assign(irq, { state: Number(state[1]), node: Number(state[2]), affinity, effective });
    return affinity !== undefined && effective !== undefined;
  }
  // The flags are bits of the state in words.
  if (FLAGS.test(line)) return true;
  const level = LEVEL.exec(line);
  if (level) return readLevel(level, irq.chain);
  const msi = MSI.exec(line);
  if (msi) irq.msi = msiOf(msi);
  return msi !== null;
}

function readLevel([, index, domain, chip, hwirq, rest]: RegExpExecArray, chain: LevelState[]): boolean {
  const vector = VECTOR.exec(rest);
  const irte = IRTE.exec(rest);
  const amdIrte = AMD_IRTE.exec(rest);
  if (Number(index) !== chain.length || (rest !== '' && !vector && !irte && !amdIrte)) return false;
  chain.push({
    domain: domain === '-' ? null : domain,
    chip: chip === '-' ? null : chip,
    hwirq: Number(hwirq),
    ...(vector && { vector: vectorOf(vector) }),
    ...(irte && { irte: { index: Number(irte[1]), sub_handle: Number(irte[2]), mask: Number(irte[3]), low: BigInt(irte[4]), high: BigInt(irte[5]) } }),
    ...(amdIrte && { amdIrte: { devid: Number(amdIrte[1]), index: Number(amdIrte[2]), irte32: Number(amdIrte[3]), entry_lo: BigInt(amdIrte[4]) } }),
  });
  return true;
}

function vectorOf(match: RegExpExecArray): VectorState {
  const [vector, cpu, prev_vector, prev_cpu, dest_apicid, cfg_vector, mip, mgd, can_res, has_res] = numbers(match) as [number, number, number, number, number, number, number, number, number, number];
  return {
    vector, cpu, prev_vector, prev_cpu, dest_apicid, cfg_vector,
    move_in_progress: mip === 1,
    is_managed: mgd === 1,
    can_reserve: can_res === 1,
    has_reserved: has_res === 1,
  };
}

function msiOf([, dev, index, kind, wide, maskbit, multiple, nvec, base_irq, hi, lo, data, masks]: RegExpExecArray): MsiState {
  return {
    dev,
    index: Number(index),
    is_msix: kind === 'MSIX',
    is_64: wide === ' 64',
    maskbit: maskbit !== '0',
    multiple: Number(multiple),
    nvec: Number(nvec),
    base_irq: Number(base_irq),
    address_hi: Number(hi),
    address_lo: Number(lo),
    data: Number(data),
    affinity_masks: masks === '1',
  };
}
