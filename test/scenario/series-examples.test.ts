// examples/series: what each patch shows, on the kernel before it and on the one behind it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { exampleOf, pathOf, SERIES_EXAMPLES } from '../../src/cli/series-examples';
import { type ChangeId, SERIES } from '../../src/kernel/changes';
import { ENODEV, ENOSPC, ENOSYS } from '../../src/kernel/lib/errno';
import { loadScenario } from '../../src/scenario/load';
import { see, type Seen } from './seen';

interface Row {
  /** without its ending */
  readonly file: string;
  readonly looks: readonly Look[];
}

/** What is looked at, and what is seen on both sides. */
type Look = readonly [fact: string, look: (seen: Seen) => unknown, before: unknown, after: unknown];

const NULL = (address: string): string => `BUG: kernel NULL pointer dereference, address: ${address.padStart(16, '0')}`;
const faultLine = ({ log }: Seen): string[] => log.filter(text => text.includes('INTR-REMAP') || text.includes('IO_PAGE_FAULT')).slice(0, 1);
const warnings = ({ log }: Seen): string[] => log.filter(text => text.startsWith('WARNING: '));
const vector = ({ guest }: Seen): number[] => [guest.world.kernel.vector_matrix.global_reserved, guest.world.kernel.vector_matrix.total_allocated];
const BLOCKED = 'DMAR: [INTR-REMAP] Request device [00:04.0] fault index 0 [fault reason 37] Blocked a compatibility format interrupt request';
const members = (fn: string, of: RegExp, param = 'arg') => (seen: Seen): string[] => seen.info(fn, param).members.filter(name => of.test(name));

const ROWS: readonly Row[] = [
  {
    file: '03-vmd-parent',
    looks: [
      ['the chain of an interrupt behind the VMD', seen => seen.chain('ssd0'), ['VMD-MSI-65536-3', 'VECTOR'], ['VMD-MSI-65536-3']],
      ['vectors that are reserved and taken: 5 more for what is behind the VMD', seen => vector(seen), [10, 16], [10, 11]],
    ],
  },
  {
    file: '04-compose-first',
    looks: [
      ['reasons of faults', seen => seen.faults, [], [0x25]],
      ['the log', faultLine, [], [BLOCKED]],
      ['messages that are remapped', seen => seen.count('remapped'), 1, 0],
    ],
  },
  {
    file: '05-compose-in-apic',
    looks: [
      ['who composes', seen => seen.callersOf('__irq_msi_compose_msg', 2), ['irq_msi_compose_msg', 'irq_chip_compose_msi_msg'], ['x86_vector_msi_compose_msg', 'irq_chip_compose_msi_msg']],
      ['chips that can', ({ guest: { world: { kernel } } }) => [kernel.pci_msi_controller, kernel.lapic_controller].map(chip => chip.irq_compose_msi_msg !== undefined), [true, false], [false, true]],
    ],
  },
  {
    file: '06-vcpu-affinity',
    looks: [
      ['calls that lead to INTEL-IR', seen => seen.callersOf('intel_ir_set_vcpu_affinity', 2), ['irq_chip_set_vcpu_affinity_parent', 'irq_set_vcpu_affinity'], ['irq_set_vcpu_affinity', 'pi_update_irte']],
      ['messages that are posted', seen => seen.count('posted'), 1, 1],
    ],
  },
  {
    file: '07-type-names',
    looks: [['the type', seen => seen.info('msi_domain_alloc', 'arg').type, 'MSIX', 'PCI_MSIX']],
  },
  {
    file: '08-get-parent',
    looks: [['types that a parent is asked with', seen => seen.types('irq_remapping_get_ir_irq_domain'), ['IOAPIC', 'HPET'], ['IOAPIC_GET_PARENT', 'HPET_GET_PARENT']]],
  },
  {
    file: '09-intel-getter',
    looks: [['who finds the parent', seen => seen.callersOf('map_ioapic_to_ir', 2), ['intel_get_ir_irq_domain', 'irq_remapping_get_ir_irq_domain'], ['intel_get_irq_domain', 'irq_remapping_get_ir_irq_domain']]],
  },
  {
    file: '10-amd-getter',
    looks: [['who finds the parent', seen => seen.callersOf('get_devid', 2), ['get_ir_irq_domain', 'irq_remapping_get_ir_irq_domain'], ['get_irq_domain', 'irq_remapping_get_ir_irq_domain']]],
  },
  {
    file: '11-one-getter',
    looks: [['who is asked', seen => seen.which('irq_remapping_get_ir_irq_domain', 'irq_remapping_get_irq_domain'), ['irq_remapping_get_ir_irq_domain'], ['irq_remapping_get_irq_domain']]],
  },
  {
    file: '12-alloc-info',
    looks: [['members', members('msi_domain_alloc', /^(devid|hwirq|desc|data|msi_dev|msi_hwirq)$/), ['msi_dev', 'msi_hwirq'], ['devid', 'hwirq', 'desc', 'data', 'msi_dev', 'msi_hwirq']]],
  },
  {
    file: '13-hpet-info',
    looks: [['members', members('hpet_msi_init', /^(hpet_|devid|hwirq|data)/), ['hpet_id', 'hpet_index', 'hpet_data'], ['devid', 'hwirq', 'data']]],
  },
  {
    file: '14-ioapic-info',
    looks: [['members', members('mp_irqdomain_alloc', /^(ioapic|devid)/), ['ioapic_id', 'ioapic_pin', 'ioapic_node', 'ioapic_trigger', 'ioapic_polarity', 'ioapic_valid', 'ioapic_entry'], ['devid', 'ioapic']]],
  },
  {
    file: '15-dmar-info',
    looks: [['members', members('dmar_msi_init', /^(dmar_|devid|data)/), ['dmar_id', 'dmar_data'], ['devid', 'data']]],
  },
  {
    file: '16-uv-info',
    looks: [['members', members('uv_domain_alloc', /^uv/), ['uv_limit', 'uv_blade', 'uv_offset', 'uv_name'], ['uv']]],
  },
  {
    file: '18-msi-info',
    looks: [
      ['the oops', ({ report }) => report.slice(0, 3), [], [NULL('18'), '#PF: supervisor read access in kernel mode', '#PF: error_code(0x0000) - not-present page']],
      ['its calls', ({ report }) => report.slice(report.indexOf('Call Trace:') + 1).slice(0, 3), [], [' intel_get_irq_domain', ' irq_remapping_get_irq_domain', ' native_setup_msi_irqs']],
      ['results', seen => seen.results, [0], []],
    ],
  },
  {
    file: '19-generic-ops',
    looks: [
      ['the functions of x86, or of all', seen => seen.which('pci_msi_get_hwirq', 'pci_msi_set_desc', 'msi_domain_ops_get_hwirq', 'pci_msi_domain_set_desc'), ['pci_msi_get_hwirq', 'pci_msi_set_desc'], ['msi_domain_ops_get_hwirq', 'pci_msi_domain_set_desc']],
    ],
  },
  {
    file: 'dmar-hpet-msi-flags',
    looks: [
      ['the oops', ({ report }) => report.slice(0, 3), [], [NULL('0'), '#PF: supervisor instruction fetch in kernel mode', '#PF: error_code(0x0010) - not-present page']],
      ['where', ({ report }) => report.filter(line => line.startsWith('RIP')), [], ['RIP: 0010:0x0']],
      ['its calls', ({ report }) => report.slice(report.indexOf('Call Trace:') + 1).filter(line => /^ (msi_domain_alloc|dmar_|enable_drhd)/.test(line)), [], [' msi_domain_alloc', ' dmar_alloc_hwirq', ' dmar_set_interrupt', ' enable_drhd_fault_handling']],
    ],
  },
  {
    file: '20-apic-post-init',
    looks: [
      ['the function that calls the hook, with nosmp', seen => seen.callersIfCalled('xen_msi_init', 1), [], ['apic_intr_mode_init']],
      ['who sets up the messages', seen => seen.which('native_setup_msi_irqs', 'xen_hvm_setup_msi_irqs'), ['native_setup_msi_irqs'], ['xen_hvm_setup_msi_irqs']],
    ],
  },
  {
    file: '22-domain-at-pci-init',
    looks: [['who makes the domain', seen => seen.callersOf('pci_msi_create_irq_domain', 3), ['arch_init_msi_domain', 'arch_early_irq_init', 'early_irq_init'], ['native_create_pci_msi_domain', 'x86_create_pci_msi_domain', 'pci_arch_init']]],
  },
  {
    file: '22-xen-pv',
    looks: [
      ["the card's domain", seen => seen.domainOf('card'), 'XEN-MSI', 'PCI-MSI-3'],
      ['the result', seen => seen.results, [2], [-ENOSPC]],
      ['the log', ({ log }) => log.filter(text => text.includes('exceeds')), [], ['Interrupt reservation exceeds available resources']],
    ],
  },
  {
    file: '24-vmd-token',
    looks: [['the name', seen => seen.chain('ssd0'), ['VMD-MSI-65536-3'], ['VMD-MSI-65536-3-10']]],
  },
  {
    file: '26-xen-hvm-msi-init',
    looks: [['the hook', seen => seen.which('xen_msi_init', 'xen_hvm_msi_init'), ['xen_msi_init'], ['xen_hvm_msi_init']]],
  },
  {
    file: '27-xen-teardown',
    looks: [['who frees an interrupt', seen => seen.callersOf('xen_destroy_irq', 3), ['xen_teardown_msi_irq', 'arch_teardown_msi_irq', 'default_teardown_msi_irqs'], ['xen_teardown_msi_irqs', 'arch_teardown_msi_irqs', 'pci_msi_teardown_msi_irqs']]],
  },
  {
    file: '28-xen-init',
    looks: [
      ['who fills the operations', seen => seen.which('set_initdom_msi_ops', 'xen_setup_pci_msi'), ['set_initdom_msi_ops'], ['xen_setup_pci_msi']],
      ['who frees in dom0', seen => seen.callersOf('xen_destroy_irq', 2), ['xen_teardown_msi_irqs', 'arch_teardown_msi_irqs'], ['xen_teardown_msi_irqs', 'xen_pv_teardown_msi_irqs']],
    ],
  },
  {
    file: '29-alloc-override',
    looks: [
      ['who allocates', seen => seen.callersOf('msi_domain_prepare_irqs', 2), ['msi_domain_alloc_irqs', 'native_setup_msi_irqs'], ['__msi_domain_alloc_irqs', 'msi_domain_alloc_irqs']],
      ['functions with two underscores', seen => seen.which('__msi_domain_alloc_irqs'), [], ['__msi_domain_alloc_irqs']],
    ],
  },
  {
    file: '30-xen-domain',
    looks: [
      ['domains for messages', ({ guest: { world: { kernel } } }) => kernel.irq_domain_list.map(({ name }) => name).filter(name => name.includes('MSI')), ['PCI-MSI-3'], ['XEN-MSI']],
      ["the device's domain", seen => seen.domainOf('card'), undefined, undefined],
    ],
  },
  {
    file: '31-intel-device',
    looks: [
      ["the drive's domain", seen => seen.domainOf('nvme0'), 'PCI-MSI-3', 'INTEL-IR-MSI-0-3'],
      ['reasons of faults', seen => seen.faults, [0x25], []],
      ['the log', faultLine, [BLOCKED], []],
    ],
  },
  {
    file: '31-virtual-functions',
    looks: [
      ['domains of the physical and the virtual function', seen => ['nvme0', 'nvme0.vf0'].map(device => seen.domainOf(device)), ['INTEL-IR-MSI-0-3', 'INTEL-IR-MSI-0-3'], ['INTEL-IR-MSI-0-3', 'PCI-MSI-3']],
      ['who gives it to the virtual one', seen => seen.which('vf_inherit_msi_domain'), ['vf_inherit_msi_domain'], []],
      ['reasons of faults', seen => seen.faults, [], [0x25]],
      ['the log', faultLine, [], [BLOCKED.replace('00:04.0', '00:15.0')]],
      ['interrupts that arrive', seen => seen.count('remapped'), 1, 0],
    ],
  },
  {
    file: '32-amd-device',
    looks: [
      ["the drive's domain", seen => seen.domainOf('nvme0'), 'PCI-MSI-3', 'AMD-IR-MSI-0-3'],
      ['messages that are remapped', seen => seen.count('remapped'), 0, 1],
      ['refused', seen => seen.count('fault'), 1, 0],
    ],
  },
  {
    file: '33-device-domain',
    looks: [
      ["the device's domain", seen => seen.domainOf('card'), undefined, 'PCI-MSI-3'],
      ['who allocates', seen => seen.callersOf('msi_domain_alloc_irqs', 3), ['native_setup_msi_irqs', 'arch_setup_msi_irqs', 'pci_msi_setup_msi_irqs'], ['pci_msi_setup_msi_irqs', 'msix_setup', 'msix_capability_init']],
      ['who frees', seen => seen.which('native_teardown_msi_irq', 'msi_domain_free_irqs'), ['native_teardown_msi_irq'], ['msi_domain_free_irqs']],
    ],
  },
  {
    file: '35-no-fallback',
    looks: [
      ['the result', seen => seen.results, [-ENOSYS], [-ENODEV]],
      ['the log', warnings, [], ['WARNING: CPU: 0 at include/linux/msi.h pci_msi_setup_msi_irqs', 'WARNING: CPU: 0 at include/linux/msi.h pci_msi_teardown_msi_irqs']],
    ],
  },
  {
    file: '36-xen-private-ops',
    looks: [
      ['members of x86_msi', ({ guest: { world: { kernel } } }) => Object.keys(kernel.x86_msi), ['restore_msi_irqs', 'setup_msi_irqs', 'teardown_msi_irqs', 'teardown_msi_irq'], ['restore_msi_irqs']],
      ['members of xen_msi_ops', ({ guest: { world: { kernel } } }) => Object.keys(kernel.xen_msi_ops), [], ['setup_msi_irqs', 'teardown_msi_irqs']],
    ],
  },
  {
    file: '37-intel-getter-no-msi',
    looks: [
      ['the oops', ({ report }) => report.slice(0, 1), [NULL('18')], []],
      ['the log', warnings, [], ['WARNING: CPU: 0 at drivers/iommu/intel/irq_remapping.c intel_get_irq_domain']],
      ['reasons of faults', seen => seen.faults, [], [0x25]],
    ],
  },
  {
    file: '38-amd-getter-no-msi',
    looks: [
      ['the log', warnings, [], ['WARNING: CPU: 0 at drivers/iommu/amd/iommu.c get_irq_domain_for_devid()']],
      ["the drive's interrupts", seen => seen.chain('nvme0'), ['AMD-IR-MSI-0-3', 'AMD-IR-0', 'VECTOR'], ['PCI-MSI-3', 'VECTOR']],
      ['refused', seen => seen.count('fault'), 0, 1],
    ],
  },
  {
    file: '40-x86-msi-prepare',
    looks: [['who prepares', seen => seen.callersOf('pci_msi_prepare', 2), ['msi_domain_prepare_irqs', '__msi_domain_alloc_irqs'], ['x86_msi_prepare', 'msi_domain_prepare_irqs']]],
  },
  {
    file: '41-default-ack',
    looks: [
      ['the oops', ({ report }) => report.filter(line => line.startsWith('BUG') || line.startsWith('RIP')), [], [NULL('0'), 'RIP: 0010:0x0']],
      ['its call', ({ report }) => report.slice(report.indexOf('Call Trace:') + 1).slice(0, 1), [], [' handle_edge_irq']],
      ['who acknowledges', seen => seen.which('irq_chip_ack_parent'), ['irq_chip_ack_parent'], []],
    ],
  },
  {
    file: '42-bus-lock',
    looks: [['interrupts that the device holds back', seen => seen.count('held back'), 1, 0]],
  },
  {
    file: '43-default-flags',
    looks: [['who sets them', seen => seen.which('msi_domain_set_default_info_flags'), [], ['msi_domain_set_default_info_flags']]],
  },
  {
    file: '46-ims',
    looks: [
      ['the result of the probe', seen => seen.results[0], -ENODEV, 0],
      ['messages that are sent', seen => seen.count('message'), 0, 1],
    ],
  },
];

const FOLDER = 'examples/series';
const ENDING = '.irq.yaml';

/** "| 39, 44 to 46 | ..." is of 39, 44, 45 and 46. */
function patchesOf(line: string): number[] {
  const cell = /^\| ([\d, to]+) \|/.exec(line)?.[1] ?? '';
  return cell.split(', ').flatMap(part => {
    const [from, to = from] = part.split(' to ').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

describe(FOLDER, () => {
  const files = readdirSync(FOLDER).filter(name => name.endsWith(ENDING)).map(name => name.slice(0, -ENDING.length));

  for (const { file, looks } of ROWS) {
    describe(file, () => {
      const example = SERIES_EXAMPLES.find(one => one.file === file)!;
      let seen: Seen[];
      before(async () => {
        seen = [];
        for (const kernel of example.kernels) seen.push(await see(pathOf(example), kernel));
      });
      for (const [fact, look, first, second] of looks) it(fact, () => assert.deepEqual(seen.map(look), [first, second]));
    });
  }

  it('has a row here for each file', () => assert.deepEqual(ROWS.map(({ file }) => file).sort(), files));

  it('is where `irqstep series` says it is', () => {
    assert.deepEqual(SERIES_EXAMPLES.map(({ file }) => file).sort(), files);
  });

  it('has a line in its README for each patch: its file, or why nothing is seen', () => {
    const [shown, unseen] = readFileSync(`${FOLDER}/README.md`, 'utf8').split('nothing can be seen');
    for (const [i, id] of (Object.keys(SERIES) as ChangeId[]).entries()) {
      const example = exampleOf(id);
      const lines = (example === undefined ? unseen : shown).split('\n').filter(line => patchesOf(line).includes(i + 1));
      assert.equal(lines.length, 1, id);
      assert.ok(example === undefined || lines[0].includes(`\`${example.file}\``), `${id}: ${lines[0]}`);
    }
  });

  it('runs, as it is, the kernel that shows it', () => {
    for (const example of SERIES_EXAMPLES) {
      const loaded = loadScenario(pathOf(example));
      assert.ok(loaded.ok, example.file);
      assert.equal(loaded.scenario.kernel, example.kernels[1], example.file);
    }
  });
});
