import assert from 'node:assert/strict';
import { formatDiagnostic } from '../../src/scenario/diagnostic';
import { loadScenario } from '../../src/scenario/load';

/** What is wrong with a text, as the terminal shows it, without the file's name. */
function errorsOf(text: string, kernel?: string): string[] {
  const loaded = loadScenario('x', text, { kernel });
  return loaded.ok ? [] : loaded.diagnostics.map(d => formatDiagnostic(d).replace('x:', '').replace(' error:', ''));
}

const IOAPIC0 = '{ id: 0, address: 0xfec00000, pins: 24, gsiBase: 0 }';
const GZIP = 'test/captures/5.10.0-32-n-4cpu-1nvme-min/pci.txt.gz';
const DEVICE = 'machine: { devices: [{ name: nvme0, kind: nvme, address: 00:04.0 }] }\n';

describe('a broken scenario', () => {
  const cases: Record<string, [text: string, errors: string[]]> = {
    'an empty file': ['', ['1:1: the scenario: found nothing; expected a map with title, about, kernel, cmdline, config, machine, drivers, modules and steps']],
    'a wrong key, with the one that was meant': ['machine:\n  devcies: []\nsteps: [boot]', ['2:3: unknown key devcies; did you mean devices?']],
    'a key like no other': ['steps: [boot]\nfoo: 1', ['2:1: unknown key foo; expected title, about, kernel, cmdline, config, machine, drivers, modules or steps']],
    'a key that is missing': ['steps: [{ request: { vector: 1 } }]', ["1:11: request has no device; expected a device's name there"]],
    'a wrong type': ['machine:\n  cpus: four\nsteps: [boot]', ['2:9: cpus: found "four"; expected a number of CPUs from 1 to 1024 or a list, each entry a map with apicId and node']],
    'a value out of range': ['machine: { cpus: 5000 }\nsteps: [boot]', ['1:18: cpus: found 5000; expected a number of CPUs from 1 to 1024']],
    'a wrong choice': ['kernel: v5.1\nsteps: [boot]', ['1:9: kernel: found "v5.1"; expected v5.9, v5.10, v5.10.223, v5.10+device-msi or v5.10+ims-repost']],
    'a kernel as a command line says it': ['kernel: series:27\nsteps: [boot]', ['1:9: kernel: found "series:27", which is how a command line says it; expected { series: 27 }']],
    'the same, with changes': [
      'kernel: v5.10-v2-04+offline-retries-online\nsteps: [boot]',
      ['1:9: kernel: found "v5.10-v2-04+offline-retries-online", which is how a command line says it; expected { base: v5.10, with: [offline-retries-online], without: [v2-04] }'],
    ],
    'a number, as it is written': ['kernel: 5.10\nsteps: [boot]', ['1:9: kernel: found 5.10; expected v5.9, v5.10, v5.10.223, v5.10+device-msi or v5.10+ims-repost or a map with base, series, with and without']],
    'a kind that does not exist': ['machine: { devices: [{ name: a, kind: scsi, address: 00:04.0 }] }\nsteps: [boot]', ['1:39: kind: found "scsi"; expected nvme, nic, edu, vmd, bridge, ims or custom']],
    'a guest of Xen that there is not': ['machine: { hypervisor: { xen: pvm } }\nsteps: [boot]', ['1:31: xen: found "pvm"; expected pv-domu, pv-dom0, hvm or pvh-dom0']],
    'a key where its map should be': ['machine: { hypervisor: xen }\nsteps: [boot]', ['1:24: hypervisor: found "xen"; expected a map, { xen: ... }']],
    'a hypervisor that there is not': ['machine: { hypervisor: { qemu: hvm } }\nsteps: [boot]', ['1:26: unknown key qemu; expected xen, hyperv, with, without, pirqs, evtchns or deny']],
    'a key of no Xen': ['machine: { hypervisor: { xen: hvm, wihtout: [fifo] } }\nsteps: [boot]', ['1:36: unknown key wihtout; did you mean without?']],
    'two hypervisors': ['machine: { hypervisor: { xen: hvm, hyperv: {} } }\nsteps: [boot]', ["1:36: the machine is a guest of Xen's already; expected xen or hyperv"]],
    'what is said of a Xen, and a Hyper-V': ['machine: { hypervisor: { hyperv: {}, without: [fifo] } }\nsteps: [boot]', ['1:38: without is said of a Xen; expected it beside xen']],
    'no hypervisor': ['machine: { hypervisor: {} }\nsteps: [boot]', ['1:12: which hypervisor? expected xen or hyperv']],
    'no address': ['machine: { devices: [{ name: a, kind: nic, address: 4 }] }\nsteps: [boot]', ['1:53: address: found 4; expected a PCI address such as 0000:00:04.0 or 00:04.0, with a device of 00 to 1f and a function of 0 to 7']],
    'several errors at once, in the order of the file': [
      'kernel: linux\nmachine: { cpus: 0 }\nsteps:\n  - prob: nvme0\n  - raise: 5',
      [
        '1:9: kernel: found "linux"; expected v5.9, v5.10, v5.10.223, v5.10+device-msi or v5.10+ims-repost',
        '2:18: cpus: found 0; expected a number of CPUs from 1 to 1024',
        '4:5: unknown key prob; did you mean probe?',
        "5:12: raise: found 5; expected a device's name or a map with device, entry and at",
      ],
    ],
    'YAML that is none': ['steps: [boot\ntitle: x', ['2:1: Flow sequence in block collection must be sufficiently indented and end with a ]']],
    'tabs': ['steps:\n\t- boot', ['2:1: Tabs are not allowed as indentation']],
    'a tab, and nothing that follows from it': ['machine:\n\tcpus: 4\nsteps: [boot]', ['2:1: Tabs are not allowed as indentation']],
    'a key that is there twice': ['title: a\nsteps: [boot]\ntitle: b', ['3:1: the key title is there twice, first in line 1']],
    'two documents': ['steps: [boot]\n---\nsteps: [boot]', ['2:1: a second document begins here; a scenario is one document']],
    'an alias that stands in itself': ['steps: &a [*a]', ['1:12: the alias *a stands inside of what it names: the value would have no end']],
    'an alias of nothing': ['steps: [*a]', ['1:9: the alias *a has no anchor &a before it']],
    'an unknown device': [`${DEVICE}steps:\n  - probe: nvme1`, ['3:12: unknown device nvme1; did you mean nvme0?']],
    'an unknown device where there is none': ['steps:\n  - raise: { device: nic, entry: 1 }', ['2:22: unknown device nic; there are none']],
    'vectors that go down': [`${DEVICE}steps:\n  - affinity: { device: nvme0, vector: 5-1, cpus: 0 }`, ['3:40: 5-1 goes down; expected the lower number first']],
    'an unknown driver': [`${DEVICE}steps:\n  - probe: { device: nvme0, driver: nvm }`, ['3:37: unknown driver nvm; did you mean nvme?']],
    'a device without a driver': [
      'machine: { devices: [{ name: c, kind: custom, address: 00:05.0 }] }\nsteps:\n  - probe: c',
      ['3:12: no driver of the kernel takes c (custom); expected {device: c, driver: one of yours}, or one of yours with match'],
    ],
    'an address that two devices have': [
      'machine:\n  devices:\n    - { name: a, kind: nic, address: 00:04.0 }\n    - { name: b, kind: nic, address: 0000:00:04.0 }\nsteps: [boot]',
      ['4:38: the address 0000:00:04.0 is there twice: a has it'],
    ],
    'a name that two devices have': [
      'machine:\n  devices:\n    - { name: a, kind: nic, address: 00:04.0 }\n    - { name: a, kind: nic, address: 00:05.0 }\nsteps: [boot]',
      ['4:15: there is a device a already; expected another name'],
    ],
    'a driver that matches all': ['drivers: { a: { match: {}, alloc: { min: 1, max: 1 } } }\nsteps: [boot]', ['1:24: this matches every device; expected address, vendor, device or class']],
    'a driver that wants more than it takes': ['drivers: { a: { alloc: [{ min: 1, max: 1 }, { min: 4, max: 2 }] } }\nsteps: [boot]', ['1:60: at most 2, and at least 4; expected 4 or more']],
    'sets without spreading': ['drivers: { a: { alloc: { min: 1, max: 4, sets: [2, 2] } } }\nsteps: [boot]', ['1:42: sets counts with PCI_IRQ_AFFINITY only; expected it among the flags']],
    'a handler that says something else': [
      'drivers: { a: { alloc: { min: 1, max: 1 }, request: [{ name: a, handler: IRQ_RETVAL }] } }\nsteps: [boot]',
      ['1:74: handler: found "IRQ_RETVAL"; expected IRQ_HANDLED, IRQ_NONE, IRQ_WAKE_THREAD or NULL'],
    ],
    'a driver with a name of the kernel': ['drivers: { nvme: { alloc: { min: 1, max: 1 } } }\nsteps: [boot]', ['1:12: nvme is a driver of the kernel; expected another name']],
    'a step with two actions': [`${DEVICE}steps:\n  - probe: nvme0\n    raise: nvme0`, ['4:5: a step has one action, and this one has probe already; expected a new step ("- raise: ...")']],
    'a step without an action': ['steps:\n  - cpu: 1', ['2:5: a step without an action; expected one of probe, remove, alloc, freeVectors, request, free, disable, enable, raise, write, expire, assert, deassert, affinity, vcpu, vcpuAffinity, uvSetup, uvTeardown, uvRaise, msiAlloc, msiFree, auxdata, sriov, call, eject, refuse, guest, suspend, resume, offline or online']],
    'a boot that is not the first step': [`${DEVICE}steps: [{ probe: nvme0 }, boot]`, ['2:27: the machine runs already; boot can only be the first step']],
    'a CPU that is not there': [`${DEVICE}steps:\n  - affinity: { device: nvme0, cpus: 2-4 }\n  - probe: nvme0\n    cpu: 4`, ['3:38: there is no CPU 4; expected CPUs of 0 to 3', '5:10: there is no CPU 4; expected CPUs of 0 to 3']],
    'an affinity of nothing': ['steps:\n  - affinity: { cpus: 1 }', ['2:5: whose affinity?; expected either irq, or device (and vector)']],
    'an entry that the table has not': [`${DEVICE}steps:\n  - raise: { device: nvme0, entry: 65 }`, ['3:36: nvme0 has no entry 65; expected 0 to 64']],
    'a machine that cannot be: one APIC id twice': ['machine: { cpus: [{ apicId: 1 }, { apicId: 1 }] }\nsteps: [boot]', ['1:44: 1 is the id of cpus[0] already']],
    'a machine that cannot be: APIC ids beyond xAPIC': ['machine: { cpus: 256 }\nsteps: [boot]', ['1:18: 255 is no APIC id; expected 0 to 254 (more needs x2apic)']],
    'a machine that cannot be: two IOAPICs with one GSI': [
      `machine:\n  ioapics:\n    - ${IOAPIC0}\n    - { id: 1, address: 0xfec01000, pins: 24, gsiBase: 23 }\nsteps: [boot]`,
      ['4:56: the GSIs from 23 overlap those of ioapics[0], 0 to 23'],
    ],
    'a machine that cannot be: GSIs that no IOAPIC has': [
      `machine:\n  ioapics:\n    - { id: 1, address: 0xfec01000, pins: 24, gsiBase: 32 }\n    - ${IOAPIC0}\nsteps: [boot]`,
      ['3:56: no IOAPIC has the GSIs 24 to 31: ioapics[1] ends at 23; expected 24'],
    ],
    'a machine that cannot be: a line to a pin beyond the IOAPIC': [
      'machine:\n  devices:\n    - { name: a, kind: edu, address: 00:04.0, gsi: 24 }\nsteps: [boot]',
      ['3:52: no IOAPIC has a pin for GSI 24; there are 0 to 23'],
    ],
    'a machine that cannot be: an override to a pin beyond the IOAPIC': ['machine: { overrides: [{ irq: 0, gsi: 2 }, { irq: 9, gsi: 30 }] }\nsteps: [boot]', ['1:59: no IOAPIC has a pin for GSI 30; there are 0 to 23']],
    'a machine that cannot be: two ISA interrupts on one pin': ['machine: { overrides: [{ irq: 0, gsi: 2 }, { irq: 9, gsi: 2 }] }\nsteps: [boot]', ['1:59: interrupt 0 has GSI 2 already']],
    'a machine that cannot be: an ISA interrupt on two pins': ['machine: { overrides: [{ irq: 0, gsi: 2 }, { irq: 0, gsi: 3 }] }\nsteps: [boot]', ['1:51: isaOverrides[0] says already where interrupt 0 goes']],
    'a machine that cannot be: a node is left out': ['machine: { cpus: [{ apicId: 0 }, { apicId: 1, node: 2 }] }\nsteps: [boot]', ['1:53: there is a node 2 and no node 1; expected nodes without gaps, from 0 on']],
    'a machine that cannot be: more nodes than CPUs': ['machine: { cpus: 2, nodes: 3 }\nsteps: [boot]', ['1:28: 3 nodes, and 2 CPUs to divide among them; expected at most 2']],
    'a machine that cannot be: a device on a node that is not there': [`machine: { nodes: 2, devices: [{ name: a, kind: edu, address: 00:04.0, node: 2 }] }\nsteps: [boot]`, ['1:78: there is no node 2; expected 0, 1, or none']],
    'a machine that cannot be: a bus that no bridge leads to': [
      'machine: { devices: [{ name: a, kind: edu, address: 02:04.0 }] }\nsteps: [boot]',
      ['1:53: no bridge leads to bus 02; expected { kind: bridge, secondary: 2, ... } among the devices'],
    ],
    'a machine that cannot be: a bridge behind one whose buses end before': [
      'machine:\n  devices:\n    - { name: r, kind: bridge, address: 00:1c.0, secondary: 1 }\n    - { name: s, kind: bridge, address: 01:00.0, secondary: 2 }\n    - { name: a, kind: edu, address: 02:00.0 }\nsteps: [boot]',
      ['5:38: bus 02 is beyond the buses behind r; expected its subordinate to be 2 or more'],
    ],
    'a machine that cannot be: a bus behind two bridges': [
      'machine:\n  devices:\n    - { name: r, kind: bridge, address: 00:1c.0, secondary: 1 }\n    - { name: s, kind: bridge, address: 00:1d.0, secondary: 1 }\nsteps: [boot]',
      ['4:61: bus 01 is behind r already'],
    ],
    'a bridge to nowhere': ['machine: { devices: [{ name: r, kind: bridge, address: 00:1c.0 }] }\nsteps: [boot]', ['1:39: r leads nowhere; expected secondary, the bus behind it']],
    'a bus behind what is no bridge': ['machine: { devices: [{ name: r, kind: edu, address: 00:1c.0, secondary: 1 }] }\nsteps: [boot]', ['1:62: there is no bus behind r: it is no bridge']],
    "a unit's scope without its device": [
      'machine:\n  remap: { type: amd, aliases: [{ device: 00:05.0, alias: 00:06.0 }] }\nsteps: [boot]',
      ["2:43: the unit's scope names 00:05.0, and there is no such device"],
    ],
    'a number of vectors that MSI has not': ['machine: { devices: [{ name: a, kind: edu, address: 00:04.0, msi: { vectors: 3 } }] }\nsteps: [boot]', ['1:78: vectors: found 3; expected 1, 2, 4, 8, 16 or 32']],
    'an errno that does not exist': ['steps: [{ offline: 1, expect: -ENOSPAC }]', ['1:31: unknown errno -ENOSPAC; did you mean -ENOSPC?']],
    'an errno without its sign': ['steps: [{ offline: 1, expect: ENOSPC }]', ['1:31: expect: found "ENOSPC"; expected an errno such as -ENOSPC']],
  };
  for (const [name, [text, errors]] of Object.entries(cases)) {
    it(`is refused with its place: ${name}`, () => assert.deepEqual(errorsOf(text), errors));
  }

  it('is refused for a kernel that the caller asks for', () => assert.deepEqual(errorsOf('title: a\nsteps: [boot]', 'v5.8'), ['1:1: unknown kernel v5.8; expected v5.9, v5.10, v5.10.223, v5.10+device-msi or v5.10+ims-repost']));

  it('is refused by its size alone, before it is read', () => {
    assert.deepEqual(errorsOf('x'.repeat(10_000_000)), ['1:1: the file has more than 262144 bytes; a scenario has fewer']);
  });

  it('with aliases that multiply has its limit reached at the alias', () => {
    const laughs = ['a: &a [x,x,x,x,x,x,x,x,x,x]', ...['b', 'c', 'd', 'e', 'f'].map((name, i) => `${name}: &${name} [${Array<string>(10).fill(`*${'abcde'[i]}`).join(',')}]`)];
    const [error] = errorsOf(laughs.join('\n'));
    assert.match(error, /^5:\d+: with its aliases followed, the file has more than 100000 values/);
  });

  it('with deep nesting ends neither in an overflow nor in a crash', () => {
    for (const opening of ['[', '- ', '{a: ', '? ']) {
      const [error] = errorsOf(opening.repeat(30_000));
      assert.match(error, /^1:\d+: more than 64 lists and maps stand inside of each other here/, opening);
    }
  });

  it('of noise gets at most 21 errors', () => {
    const noise = Array.from({ length: 20_000 }, (_, i) => `k${i}: ${i}`).join('\n');
    const errors = errorsOf(noise);
    assert.equal(errors.length, 21);
    assert.equal(errors.at(-1), '19:1: 19981 more errors from here on');
  });

  it('that cannot be read as a text is named, and so is what has no end', () => {
    const message = (path: string): string => {
      const loaded = loadScenario(path);
      return loaded.ok ? '' : formatDiagnostic(loaded.diagnostics[0]);
    };
    assert.equal(message('test/none.irq.yaml'), 'test/none.irq.yaml:1:1: error: there is no such file');
    assert.equal(message('test'), 'test:1:1: error: this is a folder; expected a file');
    assert.equal(message('media/screenshot.png'), 'media/screenshot.png:1:1: error: the file has more than 262144 bytes; a scenario has fewer');
    assert.equal(message(GZIP), `${GZIP}:1:1: error: this is no text in UTF-8`);
    if (process.platform !== 'win32') assert.equal(message('/dev/zero'), '/dev/zero:1:1: error: the file has more than 262144 bytes; a scenario has fewer');
  });
});
