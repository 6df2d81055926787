import { bits } from './bits';
import type { InterruptBus } from './interrupt-bus';
import type { UvBladeConfig } from './machine-config';

// The hub of a blade of an SGI UV: its memory mapped registers (MMRs), which all blades can reach, and the interrupts that it sends.

/** Where the MMRs of all blades lie. */
export const UV_GLOBAL_MMR64_BASE = 0xf000_0000_000;
export const UV_GLOBAL_MMR64_PNODE_SHIFT = 26;
/** Bytes of MMR space of a blade. */
const BLADE_SIZE = 2 ** UV_GLOBAL_MMR64_PNODE_SHIFT;

/** An MMR that says where an interrupt of the hub goes. Source: the kernel's arch/x86/include/asm/uv/uv_irq.h, struct uv_IO_APIC_route_entry */
export const UV_ROUTE_ENTRY = bits(64, {
  vector: [0, 7],
  delivery_mode: [8, 10],
  dest_mode: [11, '0 = physical, 1 = logical destination'],
  delivery_status: 12,
  polarity: 13,
  trigger: 15,
  mask: [16, 'sends nothing'],
  dest: [32, 63, '32-bit APIC id'],
});

/** A hub: what is written to an MMR stays there. Interrupts do not pass a remapping unit. */
export class UvHub {
  /** 32-bit words by offset */
  readonly mmrs = new Map<number, number>();

  constructor(
    readonly config: UvBladeConfig,
    private readonly bus: InterruptBus,
  ) {}

  /** Physical address of its first MMR. */
  get address(): number {
    return UV_GLOBAL_MMR64_BASE + this.config.pnode * BLADE_SIZE;
  }

  has(address: number): boolean {
    return address >= this.address && address < this.address + BLADE_SIZE;
  }

  /** No read changes anything. */
  read32(offset: number): number {
    return this.mmrs.get(offset) ?? 0;
  }

  write32(offset: number, value: number): void {
    this.mmrs.set(offset, value >>> 0);
  }

  /** Looks at a 64-bit MMR. */
  peek64(offset: number): bigint {
    return (BigInt(this.read32(offset + 4)) << 32n) | BigInt(this.read32(offset));
  }

  /** What the MMR at `offset` is for has happened. @returns whether a local APIC took the interrupt */
  raise(offset: number): boolean {
    const { vector, delivery_mode, dest_mode, trigger, mask, dest } = UV_ROUTE_ENTRY.decode(this.peek64(offset));
    if (mask) return false;
    return this.bus.deliver({ vector, delivery: delivery_mode, logical: dest_mode === 1, level: trigger === 1, redirect: false, destination: dest });
  }
}
