import { DEV_TABLE_ENTRY_SIZE, DTE_0, DTE_2, type FEATURE, IOMMU_CAP, MMIO_EXT_FEATURES } from '../../../../hardware/amd-iommu-registers';
import { aliasedIds, type AmdRemapUnitConfig, parsePciAddress } from '../../../../hardware/machine-config';
import { virtualAddresses } from '../../../../hardware/sriov';
import type { Op } from '../../../../stepper/op';
import { mpc_ioapic_id } from '../../../arch/x86/apic/io_apic';
import { EINVAL, ENODEV } from '../../../lib/errno';
import { pr_err, pr_info } from '../../../lib/printk';
import { has, kernel, machine } from '../../../world';
import { pci_read_config_dword } from '../../pci/access';
import { pci_enable_device } from '../../pci/pci';
import { pci_get_domain_bus_and_slot } from '../../pci/probe';
import { IRQ_REMAP_X2APIC_MODE, IRQ_REMAP_XAPIC_MODE } from '../irq_remapping';
import {
  amd_iommu, AMD_IOMMU_GUEST_IR_LEGACY, AMD_IOMMU_GUEST_IR_VAPIC, AMD_IOMMU_GUEST_IR_VAPIC_ON, CMD_BUFFER_SIZE, type devid_map, EVT_BUFFER_SIZE,
  get_ioapic_devid, iommu_feature, PCI_BUS_NUM, readq,
} from './amd_iommu_types';
import { iommu_flush_all_caches } from './commands';
import { amd_iommu_init_api } from './device';
import { disable_iommus, early_enable_iommus, iommu_init_ga, iommu_init_msi } from './enable';
import { amd_iommu_create_irq_domain } from './iommu';
import { dte_data } from './irq_table';

// Units as the ACPI IVRS table lists them: drivers/iommu/amd/init.c, as far as interrupts go. What switches them on: enable.ts.

const PAGE_SIZE = 4096;
/** The southbridge's IOAPIC is always this function, 00:14.0. */
const IOAPIC_SB_DEVID = 0xa0;

type iommu_init_state =
  | 'IOMMU_START_STATE' | 'IOMMU_IVRS_DETECTED' | 'IOMMU_ACPI_FINISHED' | 'IOMMU_ENABLED' | 'IOMMU_PCI_INIT' | 'IOMMU_INTERRUPTS_EN' | 'IOMMU_DMA_OPS' | 'IOMMU_INITIALIZED'
  | 'IOMMU_NOT_FOUND' | 'IOMMU_INIT_ERROR' | 'IOMMU_CMDLINE_DISABLED';

export const amd_iommu_init_globals = () => ({
  amd_iommu_irq_remap: false,
  /** AMD_IOMMU_GUEST_IR_* */
  amd_iommu_guest_ir: AMD_IOMMU_GUEST_IR_VAPIC,
  amd_iommu_xt_mode: IRQ_REMAP_XAPIC_MODE,
  amd_iommu_detected: false,
  amd_iommu_disabled: false,
  /** a unit caches what is not present, as one does that a hypervisor made up */
  amd_iommu_np_cache: false,
  /** largest requester id of the IVRS table */
  amd_iommu_last_bdf: 0,
  amd_iommu_list: [] as amd_iommu[],
  /** physical address of the device table, which all units share */
  amd_iommu_dev_table: 0,
  /** bytes */
  dev_table_size: 0,
  /** by requester id: what the unit sees of it */
  amd_iommu_alias_table: [] as number[],
  /** units by requester id */
  amd_iommu_rlookup_table: new Map<number, amd_iommu>(),
  ioapic_map: [] as devid_map[],
  hpet_map: [] as devid_map[],
  early_ioapic_map: [] as devid_map[],
  early_hpet_map: [] as devid_map[],
  /** ivrs_ioapic or ivrs_hpet was there: what does not fit is no firmware bug */
  cmdline_maps: false,
  init_state: 'IOMMU_START_STATE' as iommu_init_state,
  /** functions that appear from now on are told to iommu_bus_notifier() */
  amd_iommu_bus_notifier: false,
});

const devid_of = (address: string): number => {
  const { bus, devfn } = parsePciAddress(address)!;
  return (bus << 8) | devfn;
};

/** The device entries of a unit's IVHD block: one each, as no firmware leaves out a function that is there, or can be. */
function ivhd_devices({ includeAll, devices, function: own }: AmdRemapUnitConfig): number[] {
  const all = machine.config.pci.flatMap(({ address, sriov }) => [address, ...(sriov ? virtualAddresses(address, sriov) : [])]).filter(address => address.startsWith('0000:') && address !== own);
  return (includeAll ? all : devices).map(devid_of);
}

/** Source: find_last_devid_from_ivhd(); firmware lists IOAPICs and HPETs as devices too */
function find_last_devid_from_ivhd(config: AmdRemapUnitConfig): number {
  const aliases = (config.aliases ?? []).flatMap(alias => [...aliasedIds(alias), devid_of(alias.alias)]);
  const special = [...config.ioapics, ...(config.hpets ?? [])].map(({ requesterId }) => requesterId);
  return Math.max(0, ...ivhd_devices(config), ...aliases, ...special);
}

/** Source: set_dev_entry_from_acpi(); its flags are those of memory accesses */
function* set_dev_entry_from_acpi(iommu: amd_iommu, devid: number): Op {
  kernel.amd_iommu_rlookup_table.set(devid, iommu);
}

export type special_type = 'IOAPIC' | 'HPET';
const special_map = (type: special_type): devid_map[] => (type === 'IOAPIC' ? kernel.ioapic_map : kernel.hpet_map);

/** @returns the requester id that counts: the command line's, where it has one. Source: add_special_device() */
function* add_special_device(type: special_type, id: number, devid: number, cmd_line: boolean): Op<number> {
  const override = special_map(type).find(entry => entry.id === id && entry.cmd_line);
  if (override) {
    pr_info(`AMD-Vi: Command-line override present for ${type} id ${id} - ignoring`);
    return override.devid;
  }
  special_map(type).push({ id, devid, cmd_line });
  return devid;
}

/** Source: add_early_maps() */
function* add_early_maps(): Op {
  for (const { id, devid, cmd_line } of kernel.early_ioapic_map) yield* add_special_device('IOAPIC', id, devid, cmd_line);
  for (const { id, devid, cmd_line } of kernel.early_hpet_map) yield* add_special_device('HPET', id, devid, cmd_line);
}

/** Who is below the unit. Source: init_iommu_from_acpi() */
function* init_iommu_from_acpi(iommu: amd_iommu, config: AmdRemapUnitConfig): Op {
  yield* add_early_maps();

  for (const devid of ivhd_devices(config)) yield* set_dev_entry_from_acpi(iommu, devid);
  for (const entry of config.aliases ?? []) {
    const devid_to = devid_of(entry.alias);
    for (const devid of aliasedIds(entry)) {
      yield* set_dev_entry_from_acpi(iommu, devid);
      yield* set_dev_entry_from_acpi(iommu, devid_to);
      kernel.amd_iommu_alias_table[devid] = devid_to;
    }
  }
  for (const [type, special] of [['IOAPIC', config.ioapics], ['HPET', config.hpets ?? []]] as const) {
    for (const { id, requesterId } of special) {
      const devid = yield* add_special_device(type, id, requesterId, false);
      yield* set_dev_entry_from_acpi(iommu, devid);
    }
  }
}

/** One unit of the table. Source: init_iommu_one() */
function* init_iommu_one(config: AmdRemapUnitConfig): Op<number> {
  const iommu = new amd_iommu(kernel.amd_iommu_list.length, devid_of(config.function), config.capability, config.address);
  kernel.amd_iommu_list.push(iommu);

  if (!config.ga) kernel.amd_iommu_guest_ir = AMD_IOMMU_GUEST_IR_LEGACY;
  else if (config.x2apic) kernel.amd_iommu_xt_mode = IRQ_REMAP_X2APIC_MODE;

  iommu.cmd_sem = machine.memory.alloc(8, PAGE_SIZE);
  iommu.cmd_buf = machine.memory.alloc(CMD_BUFFER_SIZE, PAGE_SIZE);
  iommu.evt_buf = machine.memory.alloc(EVT_BUFFER_SIZE, PAGE_SIZE);

  yield* init_iommu_from_acpi(iommu, config);

  const ret = yield* amd_iommu_create_irq_domain(iommu);
  if (ret) return ret;

  // A unit does not translate itself.
  kernel.amd_iommu_rlookup_table.delete(iommu.devid);
  return 0;
}

/** The system timer is connected to the southbridge's IOAPIC: without it in the table nothing is remapped. Source: check_ioapic_information() */
function* check_ioapic_information(): Op<boolean> {
  let ret = false;
  let has_sb_ioapic = false;
  const fw_bug = kernel.cmdline_maps ? '' : '[Firmware Bug]: ';

  for (let idx = 0; idx < kernel.ioapics.length; idx++) {
    const id = mpc_ioapic_id(idx);
    const devid = get_ioapic_devid(id);
    if (devid < 0) {
      pr_err(`AMD-Vi: ${fw_bug}: IOAPIC[${id}] not in IVRS table`);
      ret = false;
    } else if (devid === IOAPIC_SB_DEVID) {
      has_sb_ioapic = true;
      ret = true;
    }
  }

  if (!has_sb_ioapic) pr_err(`AMD-Vi: ${fw_bug}: No southbridge IOAPIC found`);
  if (!ret) pr_err('AMD-Vi: Disabling interrupt remapping');
  return ret;
}

function set_dev_entry_bits(i: number, bits: bigint): void {
  const { memory } = machine;
  for (let devid = 0; devid <= kernel.amd_iommu_last_bdf; devid++) memory.write64(dte_data(devid, i), memory.read64(dte_data(devid, i)) | bits);
}

/** Nobody interrupts before he has a table. Source: init_device_table() */
function* init_device_table(): Op {
  if (kernel.amd_iommu_irq_remap) set_dev_entry_bits(2, DTE_2.encode({ irq_remap_enable: 1 }));
}

/** Source: init_device_table_dma() */
function* init_device_table_dma(): Op {
  set_dev_entry_bits(0, DTE_0.encode({ valid: 1, translation: 1 }));
}

/** Reads the table, makes the units' domains. @returns 0 or -ENODEV. Source: early_amd_iommu_init() */
function* early_amd_iommu_init(): Op<number> {
  if (!kernel.amd_iommu_detected) return -ENODEV;

  const { units } = machine.config.amdRemap!;
  const last_bdf = (kernel.amd_iommu_last_bdf = Math.max(...units.map(find_last_devid_from_ivhd)));

  // Allocated in powers of two of pages.
  kernel.dev_table_size = PAGE_SIZE * 2 ** Math.ceil(Math.log2(((last_bdf + 1) * DEV_TABLE_ENTRY_SIZE) / PAGE_SIZE));
  kernel.dev_table_size = Math.max(PAGE_SIZE, kernel.dev_table_size);
  kernel.amd_iommu_dev_table = machine.memory.alloc(kernel.dev_table_size, PAGE_SIZE);
  kernel.amd_iommu_alias_table = Array.from({ length: last_bdf + 1 }, (_, devid) => devid);

  for (const unit of units) {
    const ret = yield* init_iommu_one(unit);
    if (ret) return ret;
  }

  yield* disable_iommus();

  if (kernel.amd_iommu_irq_remap) kernel.amd_iommu_irq_remap = yield* check_ioapic_information();

  yield* init_device_table();
  return 0;
}

/** What the unit's function and registers say. @returns 0 or an errno. Source: iommu_init_pci() */
function* iommu_init_pci(iommu: amd_iommu): Op<number> {
  const dev = pci_get_domain_bus_and_slot(0, PCI_BUS_NUM(iommu.devid), iommu.devid & 0xff);
  if (!dev) return -ENODEV;
  iommu.dev = dev;

  iommu.cap = pci_read_config_dword(dev, iommu.cap_ptr);
  iommu.features = readq(iommu, MMIO_EXT_FEATURES);
  if (IOMMU_CAP.get(iommu.cap, 'npcache')) kernel.amd_iommu_np_cache = true;

  const ret = yield* iommu_init_ga(iommu);
  if (ret) return ret;

  return yield* pci_enable_device(dev);
}

/** Names of the lowest feature bits; null: a reserved one. */
const FEAT_STR: readonly (readonly [text: string, feature: Parameters<typeof FEATURE.get>[1] | null])[] = [
  ['PreF', 'prefetch'], ['PPR', 'ppr'], ['X2APIC', 'x2apic'], ['NX', 'nx'], ['GT', 'gt'], ['[5]', null], ['IA', 'ia'], ['GA', 'ga'], ['HE', 'he'], ['PC', 'pc'],
];

/** Source: print_iommu_info() */
function* print_iommu_info(): Op {
  for (const iommu of kernel.amd_iommu_list) {
    const where = `pci ${iommu.dev!.name}: AMD-Vi:`;
    pr_info(`${where} Found IOMMU cap 0x${iommu.cap_ptr.toString(16)}`);

    if (IOMMU_CAP.get(iommu.cap, 'efr')) {
      const names = FEAT_STR.flatMap(([text, feature]) => (feature && iommu_feature(iommu, feature) ? ` ${text}` : [])).join('');
      const features = `${names}${iommu_feature(iommu, 'gam_vapic') ? ' GA_vAPIC' : ''}`;
      const title = `Extended features (0x${iommu.features.toString(16)}):`;
      if (has('amd-features-one-line')) {
        pr_info(`AMD-Vi: ${title}${features}`);
      } else {
        // What continues a device's line stands on a line of its own.
        pr_info(`${where} ${title}`);
        pr_info(features);
      }
    }
  }
  if (!kernel.irq_remapping_enabled) return;
  pr_info('AMD-Vi: Interrupt remapping enabled');
  if (AMD_IOMMU_GUEST_IR_VAPIC_ON(kernel.amd_iommu_guest_ir)) pr_info('AMD-Vi: Virtual APIC enabled');
  if (kernel.amd_iommu_xt_mode === IRQ_REMAP_X2APIC_MODE) pr_info('AMD-Vi: X2APIC enabled');
}

/** Devices get their domain here. @returns 0 or an errno. Source: amd_iommu_init_pci() */
function* amd_iommu_init_pci(): Op<number> {
  for (const iommu of kernel.amd_iommu_list) {
    const ret = yield* iommu_init_pci(iommu);
    if (ret) break;
  }

  const ret = yield* amd_iommu_init_api();
  yield* init_device_table_dma();
  for (const iommu of kernel.amd_iommu_list) yield* iommu_flush_all_caches(iommu);

  if (!ret) yield* print_iommu_info();
  return ret;
}

/** Source: amd_iommu_enable_interrupts() */
function* amd_iommu_enable_interrupts(): Op<number> {
  for (const iommu of kernel.amd_iommu_list) {
    const ret = yield* iommu_init_msi(iommu);
    if (ret) return ret;
  }
  return 0;
}

/** Source: detect_ivrs() */
const detect_ivrs = (): boolean => machine.config.amdRemap !== undefined;

/** The units are forgotten; their domains stay in the list. Source: free_iommu_resources() */
function* free_iommu_resources(): Op {
  kernel.irq_lookup_table.clear();
  kernel.amd_iommu_rlookup_table.clear();
  kernel.amd_iommu_alias_table = [];
  kernel.amd_iommu_list = [];
}

/** Source: state_next() */
function* state_next(): Op<number> {
  let ret = 0;
  const to = (state: iommu_init_state, error: iommu_init_state = 'IOMMU_INIT_ERROR'): void => void (kernel.init_state = ret ? error : state);

  switch (kernel.init_state) {
    case 'IOMMU_START_STATE':
      ret = detect_ivrs() ? 0 : -ENODEV;
      to('IOMMU_IVRS_DETECTED', 'IOMMU_NOT_FOUND');
      break;
    case 'IOMMU_IVRS_DETECTED':
      ret = yield* early_amd_iommu_init();
      to('IOMMU_ACPI_FINISHED');
      if (!ret && kernel.amd_iommu_disabled) {
        pr_info('AMD-Vi: AMD IOMMU disabled');
        kernel.init_state = 'IOMMU_CMDLINE_DISABLED';
        ret = -EINVAL;
      }
      break;
    case 'IOMMU_ACPI_FINISHED':
      yield* early_enable_iommus();
      to('IOMMU_ENABLED');
      break;
    case 'IOMMU_ENABLED':
      ret = yield* amd_iommu_init_pci();
      to('IOMMU_PCI_INIT');
      break;
    case 'IOMMU_PCI_INIT':
      ret = yield* amd_iommu_enable_interrupts();
      to('IOMMU_INTERRUPTS_EN');
      break;
    case 'IOMMU_INTERRUPTS_EN':
      to('IOMMU_DMA_OPS');
      break;
    case 'IOMMU_DMA_OPS':
      to('IOMMU_INITIALIZED');
      break;
    case 'IOMMU_INITIALIZED':
      break;
    default:
      ret = -EINVAL;
  }

  if (ret && !kernel.irq_remapping_enabled) {
    yield* disable_iommus();
    yield* free_iommu_resources();
  }
  return ret;
}

/** @returns 0 or an errno. Source: iommu_go_to_state() */
function* iommu_go_to_state(state: iommu_init_state): Op<number> {
  let ret = -EINVAL;
  while (kernel.init_state !== state) {
    if (['IOMMU_NOT_FOUND', 'IOMMU_INIT_ERROR', 'IOMMU_CMDLINE_DISABLED'].includes(kernel.init_state)) break;
    ret = yield* state_next();
  }
  return ret;
}

const irq_remap_possible = (): boolean => kernel.amd_iommu_irq_remap;

/** @returns 0, or an errno where it cannot be done. Source: amd_iommu_prepare() */
export function* amd_iommu_prepare(): Op<number> {
  kernel.amd_iommu_irq_remap = true;

  const ret = yield* iommu_go_to_state('IOMMU_ACPI_FINISHED');
  if (ret) return ret;
  return irq_remap_possible() ? 0 : -ENODEV;
}

/** @returns IRQ_REMAP_*_MODE, or negative. Source: amd_iommu_enable() */
export function* amd_iommu_enable(): Op<number> {
  const ret = yield* iommu_go_to_state('IOMMU_ENABLED');
  if (ret) return ret;

  kernel.irq_remapping_enabled = true;
  return kernel.amd_iommu_xt_mode;
}

/** Faults are reported by MSI, later, when there is PCI. Source: amd_iommu_enable_faulting() */
export function* amd_iommu_enable_faulting(): Op<number> {
  return 0;
}

/** The units' functions and their interrupts. Source: amd_iommu_init() */
export function* amd_iommu_init(): Op<number> {
  if (!kernel.amd_iommu_detected) return 0;
  return yield* iommu_go_to_state('IOMMU_INITIALIZED');
}

/** @returns 1 where there are units, or an errno. Source: amd_iommu_detect() */
export function* amd_iommu_detect(): Op<number> {
  const ret = yield* iommu_go_to_state('IOMMU_IVRS_DETECTED');
  if (ret) return ret;

  kernel.amd_iommu_detected = true;
  return 1;
}
