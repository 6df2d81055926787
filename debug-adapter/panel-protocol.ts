// What the hierarchy panel and the extension ask the adapter beyond the Debug Adapter Protocol. Types only: every value is JSON.
// All requests need a stopped run: while it runs they fail with `notStopped`, as the protocol's own do.

/** Custom requests: the command, its arguments, the body of its response. */
export interface PanelRequests {
  /** The parts of the World that a view shows now. Asked after each stop, only for what is visible. */
  'irqstep/snapshot': { arguments: SnapshotArguments; body: Snapshot };
  /** Who owns the vectors of one CPU. */
  'irqstep/vectors': { arguments: { cpu: number }; body: { cpu: number; vectors: VectorOwner[] } };
  /** The text files of the kernel that can be read now, such as `/proc/interrupts`. */
  'irqstep/textFiles': { arguments: Record<string, never>; body: { paths: string[] } };
  /** One of them, as the modelled kernel prints it. An unknown path is an error that says which paths there are. */
  'irqstep/textFile': { arguments: { path: string }; body: { path: string; content: string } };
}

export type Section = 'domains' | 'chain' | 'current' | 'matrix' | 'series';

export interface SnapshotArguments {
  /** Only these parts are computed and sent. */
  sections: Section[];
  /** The interrupt that `chain` and `current` are about. Without it: the one that the frame is about. */
  irq?: number;
  /** A frame's id of the last stackTrace. Without it: the top frame of the thread that stopped. */
  frameId?: number;
}

export interface Snapshot {
  /** Statements executed since power-on. The same step is the same World. */
  step: number;
  /** The kernel, as the scenario or the launch names it: "v5.10". */
  kernel: string;
  /** Of a kernel that never was: "with patches posted in 2020, not in today's mainline". */
  kernelNote?: string;
  /** The interrupt that `chain` and `current` are about; null where the frame is about none. */
  irq: number | null;
  /** Why there is no `irq`, or why a section is empty, where that helps the user. */
  note?: string;
  domains?: Domain[];
  /** Sent with `domains`: what is in none of them. */
  outside?: Members;
  chain?: Chain | null;
  current?: Current;
  matrix?: Matrix | null;
  series?: Series;
}

/** A value for people. `changed`: it was another one at the last stop, `was` says which. */
export interface Field {
  name: string;
  /** "0x22", "IRQD_ACTIVATED | IRQD_IRQ_STARTED", "0-3", "-ENOSPC", "NULL" */
  value: string;
  /** The kernel's type, where the value is a structure: "irq_cfg". */
  type?: string;
  changed?: true;
  /** Its value at the last stop; absent where the field was not there then. */
  was?: string;
  /** The members of a structure. */
  fields?: Field[];
}

export interface Struct {
  /** "msi_desc" */
  type: string;
  fields: Field[];
}

/** The domains, parents before their children. */
export interface Domain extends Members {
  /** Its index in the list. */
  id: number;
  name: string;
  /** Id of the parent domain, null for a root. */
  parent: number | null;
  /** "PCI_MSI" */
  busToken: string;
  /** "HIERARCHY | MSI" */
  flags: string;
  /** Numbers mapped in this domain. */
  mapped: number;
  changed?: true;
}

/** What gets its interrupts from a domain. */
export interface Members {
  devices: Device[];
  /** Interrupts of none of the devices: pins of an IOAPIC, timers, event channels. */
  others: Irq[];
}

export interface Irq {
  irq: number;
  /** "nvme0q1"; empty while nobody has requested it. */
  actions: string;
}

/** It is where dev->msi_domain points to; where that is NULL, where its interrupts are. */
export interface Device {
  /** "0000:00:04.0" */
  name: string;
  driver: string | null;
  /** "MSI-X", "MSI" or null while it has none. */
  kind: 'MSI-X' | 'MSI' | 'IMS' | null;
  /** dev->msi_domain is NULL. */
  pointsNowhere?: true;
  irqs: Irq[];
}

/** An interrupt on all its levels, the outermost first. */
export interface Chain {
  irq: number;
  actions: string;
  /** state_use_accessors, decoded. */
  state: Field;
  affinity: Field;
  effectiveAffinity: Field;
  levels: Level[];
}

export interface Level {
  domain: string | null;
  /** "NULL" while the level is being set up. */
  chip: string;
  hwirq: Field;
  /** chip_data of this level: "apic_chip_data", "intel_ir_data"; null for none. */
  chipData: Struct | null;
}

/** What is being handed about at this moment. */
export interface Current {
  /** The irq_alloc_info that the innermost frame with one has. */
  allocInfo: Struct | null;
  msiDesc: Struct | null;
  /** The message last composed for, or written to, the device. */
  message: Message | null;
}

/** An MSI message, and what its bits say. */
export interface Message {
  address_hi: number;
  address_lo: number;
  data: number;
  /** "compatibility format", "Intel remappable format", "none (all zero)" */
  format: string;
  fields: BitField[];
  changed?: true;
}

/** A run of bits of a register or message. */
export interface BitField {
  /** "address_lo" */
  word: string;
  /** Highest and lowest bit: [19, 12] */
  bits: [number, number];
  name: string;
  /** "0x22" */
  value: string;
  /** What this value means, or what the field is for. */
  doc?: string;
}

/** A set of vectors in the kernel's own list form: "33-34,48"; empty for none. */
export type VectorList = string;

export interface Matrix {
  matrixBits: number;
  allocStart: number;
  /** exclusive */
  allocEnd: number;
  globalAvailable: number;
  globalReserved: number;
  totalAllocated: number;
  onlineMaps: number;
  /** System vectors, the same on all CPUs. */
  system: VectorList;
  cpus: MatrixCpu[];
}

export interface MatrixCpu {
  cpu: number;
  online: boolean;
  available: number;
  allocated: number;
  managed: number;
  managedAllocated: number;
  /** Allocated ones; those that are also in `managedMap` belong to managed interrupts. */
  allocMap: VectorList;
  /** Set aside for managed interrupts. */
  managedMap: VectorList;
  /** Still allocated here while their interrupt moves away: they wait for the cleanup. */
  moving: VectorList;
  changed?: true;
}

export interface VectorOwner {
  vector: number;
  irq: number;
  /** `moving`: the interrupt's old vector. `shutdown`: allocated, but the interrupt is not active. */
  state: 'allocated' | 'managed' | 'moving' | 'shutdown';
  name: string;
}

/** The patches that lead from one kernel to another, as a document. */
export interface Series {
  /** The releases that can be chosen: "v5.9". */
  kernels: string[];
  /** Patches of the series that this kernel has, when it has the first ones and no others: the point where it stands. */
  patches: number | null;
  groups: PatchGroup[];
}

export interface PatchGroup {
  /** "one way to ask for a remapping domain" */
  title: string;
  patches: Patch[];
}

export interface Patch {
  /** From 1. */
  number: number;
  id: string;
  subject: string;
  effect: string;
  /** Ids of changes. */
  needs: string[];
  merged: boolean;
  /** This run's kernel has it. */
  present: boolean;
}
