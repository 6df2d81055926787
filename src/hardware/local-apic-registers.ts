import { bits } from './bits';

// Registers of the local APIC by their xAPIC offsets; the x2APIC MSR is 0x800 + offset / 16. Source: Intel SDM volume 3, 10.4.1 and 10.12.1.

/** physical address of the registers after reset */
export const APIC_DEFAULT_PHYS_BASE = 0xfee00000;

export const APIC_ID = 0x20;
export const APIC_LVR = 0x30;
export const APIC_TASKPRI = 0x80;
export const APIC_PROCPRI = 0xa0;
export const APIC_EOI = 0xb0;
export const APIC_LDR = 0xd0;
export const APIC_DFR = 0xe0;
export const APIC_SPIV = 0xf0;
export const APIC_ISR = 0x100;
export const APIC_TMR = 0x180;
export const APIC_IRR = 0x200;
export const APIC_ESR = 0x280;
export const APIC_ICR = 0x300;
export const APIC_ICR2 = 0x310;
export const APIC_LVTT = 0x320;
export const APIC_LVTTHMR = 0x330;
export const APIC_LVTPC = 0x340;
export const APIC_LVT0 = 0x350;
export const APIC_LVT1 = 0x360;
export const APIC_LVTERR = 0x370;
export const APIC_TMICT = 0x380;
export const APIC_TMCCT = 0x390;
export const APIC_TDCR = 0x3e0;
/** x2APIC only */
export const APIC_SELF_IPI = 0x3f0;

/** Timer divide configuration: bits 0, 1 and 3. */
export const TDCR_BY_16 = 0x3;
export const TIMER_MODE = { ONE_SHOT: 0, PERIODIC: 1 } as const;

export const SPIV = bits(32, {
  vector: [0, 7, 'spurious vector'],
  enabled: [8, 'software enable: 0 = takes no fixed interrupt'],
  focus_disabled: 9,
  directed_eoi: [12, 'no EOI broadcast to the IOAPICs'],
});

/** Low word of the interrupt command register. */
export const ICR_LOW = bits(32, {
  vector: [0, 7],
  delivery_mode: [8, 10],
  dest_mode_logical: 11,
  busy: [12, 'delivery status, read only'],
  assert: 14,
  is_level: 15,
  shorthand: [18, 19, '0 none, 1 self, 2 all, 3 all but self'],
});

export const SHORTHAND = { NONE: 0, SELF: 1, ALL: 2, ALL_BUT_SELF: 3 } as const;

export const ESR = bits(32, {
  send_illegal_vector: 5,
  receive_illegal_vector: 6,
  illegal_register: 7,
});

export const LVT = bits(32, {
  vector: [0, 7],
  delivery_mode: [8, 10],
  busy: 12,
  active_low: 13,
  remote_irr: 14,
  is_level: 15,
  masked: 16,
  timer_mode: [17, 18, '0 one shot, 1 periodic, 2 TSC deadline'],
});

export const DFR_FLAT = 0xffffffff;
export const DFR_CLUSTER = 0x0fffffff;
