import { kernel } from '../world';

// Virtual addresses that are fixed at compile time: arch/x86/include/asm/fixmap.h.

const PAGE_SHIFT = 12n;
/** One page below the end of the 2 MB page that the vsyscall page begins. */
const FIXADDR_TOP = 0xffffffffff7ff000n;
const VSYSCALL_ADDR = 0xffffffffff600000n;
const VSYSCALL_PAGE = (FIXADDR_TOP - VSYSCALL_ADDR) >> PAGE_SHIFT;

/** enum fixed_addresses: behind the vsyscall page, the debug port's, the early console's and, where it is built in, FireWire's */
export const FIX_APIC_BASE = (): bigint => VSYSCALL_PAGE + (kernel.config.config.has('PROVIDE_OHCI1394_DMA_INIT') ? 4n : 3n);
export const FIX_IO_APIC_BASE_0 = (): bigint => FIX_APIC_BASE() + 1n;

/** Source: include/asm-generic/fixmap.h, __fix_to_virt() */
export const __fix_to_virt = (idx: bigint): bigint => FIXADDR_TOP - (idx << PAGE_SHIFT);
