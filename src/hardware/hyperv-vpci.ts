import { array, packed, s32, u16, u32, u64, u8 } from './packed';

// What a guest and a Hyper-V host say to each other about a virtual PCI bus. Names and layouts: drivers/pci/controller/pci-hyperv.c.
// Where C has a struct pci_message with one member, or a union with one, that member stands here.

/** Versions of the protocol: major << 16 | minor. */
export const PCI_PROTOCOL_VERSION_1_1 = 0x10001;
export const PCI_PROTOCOL_VERSION_1_2 = 0x10002;
export const PCI_PROTOCOL_VERSION_1_3 = 0x10003;
export const PCI_PROTOCOL_VERSION_1_4 = 0x10004;

const PCI_MESSAGE_BASE = 0x42490000;
export const PCI_BUS_RELATIONS = PCI_MESSAGE_BASE;
export const PCI_QUERY_BUS_RELATIONS = PCI_MESSAGE_BASE + 1;
export const PCI_QUERY_RESOURCE_REQUIREMENTS = PCI_MESSAGE_BASE + 5;
export const PCI_BUS_D0ENTRY = PCI_MESSAGE_BASE + 7;
export const PCI_BUS_D0EXIT = PCI_MESSAGE_BASE + 8;
export const PCI_EJECT = PCI_MESSAGE_BASE + 0xb;
export const PCI_EJECTION_COMPLETE = PCI_MESSAGE_BASE + 0xf;
export const PCI_RESOURCES_ASSIGNED = PCI_MESSAGE_BASE + 0x10;
export const PCI_RESOURCES_RELEASED = PCI_MESSAGE_BASE + 0x11;
export const PCI_QUERY_PROTOCOL_VERSION = PCI_MESSAGE_BASE + 0x13;
export const PCI_CREATE_INTERRUPT_MESSAGE = PCI_MESSAGE_BASE + 0x14;
export const PCI_DELETE_INTERRUPT_MESSAGE = PCI_MESSAGE_BASE + 0x15;
export const PCI_RESOURCES_ASSIGNED2 = PCI_MESSAGE_BASE + 0x16;
export const PCI_CREATE_INTERRUPT_MESSAGE2 = PCI_MESSAGE_BASE + 0x17;
export const PCI_BUS_RELATIONS2 = PCI_MESSAGE_BASE + 0x19;
export const PCI_CREATE_INTERRUPT_MESSAGE3 = PCI_MESSAGE_BASE + 0x1b;

/** What a packet is: the type of struct vmpacket_descriptor. */
export const VM_PKT_DATA_INBAND = 0x6;
export const VM_PKT_COMP = 0xb;

/** Windows' status codes; in a response they are signed, so that failures are negative. */
export const STATUS_SUCCESS = 0;
export const STATUS_INVALID_PARAMETER = 0xc000000d;
export const STATUS_REVISION_MISMATCH = 0xc0000059;
export const STATUS_INSUFFICIENT_RESOURCES = 0xc000009a;
export const STATUS_NOT_SUPPORTED = 0xc00000bb;
export const STATUS_INVALID_DEVICE_STATE = 0xc0000184;

/** A packet in a channel's ring: what of its descriptor counts, and what follows that. */
export interface VmbusPacket {
  /** VM_PKT_* */
  readonly type: number;
  /** of a request, and of the completion that answers it; 0: no answer is wanted */
  readonly transId: number;
  readonly bytes: Uint8Array;
}

export const pci_message = packed({ type: u32 });
export const pci_child_message = packed({ type: u32, wslot: u32 });
export const pci_version_request = packed({ type: u32, protocol_version: u32 });
export const pci_bus_d0_entry = packed({ type: u32, reserved: u32, mmio_base: u64 });
/** before 1.2; pci_resources_assigned2 is as long as this one and 54 bytes more */
export const pci_resources_assigned = packed({ type: u32, wslot: u32, memory_range: array(u8, 0x14 * 6), msi_descriptors: u32, reserved: array(u32, 4) });
export const pci_resources_assigned2 = packed({ type: u32, wslot: u32, memory_range: array(u8, 0x14 * 6), msi_descriptor_count: u32, reserved: array(u8, 70) });

const FUNCTION = { v_id: u16, d_id: u16, rev: u8, prog_intf: u8, subclass: u8, base_class: u8, subsystem_id: u32, win_slot: u32, ser: u32 };
export const pci_function_description = packed(FUNCTION);
export const pci_function_description2 = packed({ ...FUNCTION, flags: u32, virtual_numa_node: u16, reserved: u16 });
export const HV_PCI_DEVICE_FLAG_NUMA_AFFINITY = 1;
/** an array of pci_function_description follows; of pci_function_description2 in PCI_BUS_RELATIONS2 */
export const pci_bus_relations = packed({ type: u32, device_count: u32 });

/** What the guest asks for, 1.1: `cpu_mask` has a bit a virtual processor. */
export const hv_msi_desc = packed({ vector: u8, delivery_mode: u8, vector_count: u16, reserved: u32, cpu_mask: u64 });
/** The same from 1.2 on: `processor_array` has `processor_count` numbers. */
export const hv_msi_desc2 = packed({ vector: u8, delivery_mode: u8, vector_count: u16, processor_count: u16, processor_array: array(u16, 32) });
/** The same from 1.4 on, with room for greater vectors than x86 has. */
export const hv_msi_desc3 = packed({ vector: u32, delivery_mode: u8, reserved: u8, vector_count: u16, processor_count: u16, processor_array: array(u16, 32) });
/** What the host gives: the message that the device shall send. */
export const tran_int_desc = packed({ reserved: u16, vector_count: u16, data: u32, address: u64 });
export const pci_create_interrupt = packed({ type: u32, wslot: u32, int_desc: hv_msi_desc });
export const pci_create_interrupt2 = packed({ type: u32, wslot: u32, int_desc: hv_msi_desc2 });
export const pci_create_interrupt3 = packed({ type: u32, wslot: u32, int_desc: hv_msi_desc3 });
export const pci_delete_interrupt = packed({ type: u32, wslot: u32, int_desc: tran_int_desc });

export const pci_response = packed({ status: s32 });
export const pci_create_int_response = packed({ status: s32, reserved: u32, int_desc: tran_int_desc });
export const pci_q_res_req_response = packed({ status: s32, probed_bar: array(u32, 6) });
export const pci_eject_response = packed({ type: u32, wslot: u32, status: u32 });

/** A function as Windows numbers it: the device in bits 0 to 4, the function in 5 to 7. */
export const wslotOf = (devfn: number): number => (devfn >>> 3) | ((devfn & 7) << 5);
export const devfnOf = (wslot: number): number => ((wslot & 31) << 3) | ((wslot >>> 5) & 7);
