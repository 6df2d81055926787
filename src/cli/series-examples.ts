import type { ChangeId } from '../kernel/changes';

/** A scenario that shows changes, and two kernels that differ there: the second is its own. */
export interface SeriesExample {
  /** in examples/series, without its ending */
  readonly file: string;
  readonly shows: readonly ChangeId[];
  readonly kernels: readonly [string, string];
}

export const SERIES_EXAMPLES: readonly SeriesExample[] = [
  { file: '03-vmd-parent', shows: ['v2-03'], kernels: ['series:2', 'series:3'] },
  { file: '04-compose-first', shows: ['v2-04'], kernels: ['series:5', 'series:5-v2-04'] },
  { file: '05-compose-in-apic', shows: ['v2-05'], kernels: ['series:4', 'series:5'] },
  { file: '06-vcpu-affinity', shows: ['v2-06'], kernels: ['series:5', 'series:6'] },
  { file: '07-type-names', shows: ['v2-07'], kernels: ['series:6', 'series:7'] },
  { file: '08-get-parent', shows: ['v2-08'], kernels: ['series:7', 'series:8'] },
  { file: '09-intel-getter', shows: ['v2-09'], kernels: ['series:8', 'series:9'] },
  { file: '10-amd-getter', shows: ['v2-10'], kernels: ['series:9', 'series:10'] },
  { file: '11-one-getter', shows: ['v2-11'], kernels: ['series:10', 'series:11'] },
  { file: '12-alloc-info', shows: ['v2-12'], kernels: ['series:11', 'series:12'] },
  { file: '13-hpet-info', shows: ['v2-13'], kernels: ['series:12', 'series:13'] },
  { file: '14-ioapic-info', shows: ['v2-14'], kernels: ['series:13', 'series:14'] },
  { file: '15-dmar-info', shows: ['v2-15'], kernels: ['series:14', 'series:15'] },
  { file: '16-uv-info', shows: ['v2-16'], kernels: ['series:15', 'series:16'] },
  { file: '18-msi-info', shows: ['v2-18'], kernels: ['series:17', 'series:18'] },
  { file: '19-generic-ops', shows: ['v2-19'], kernels: ['series:18', 'series:19'] },
  { file: 'dmar-hpet-msi-flags', shows: ['dmar-hpet-msi-flags'], kernels: ['series:19+dmar-hpet-msi-flags', 'series:19'] },
  { file: '20-apic-post-init', shows: ['v2-20'], kernels: ['series:19', 'series:20'] },
  { file: '22-domain-at-pci-init', shows: ['v2-22'], kernels: ['series:21', 'series:22'] },
  { file: '22-xen-pv', shows: ['pci-msi-domain-after-arch-init'], kernels: ['v5.10+pci-msi-domain-after-arch-init', 'v5.10'] },
  { file: '24-vmd-token', shows: ['v2-23', 'v2-24'], kernels: ['series:23', 'series:24'] },
  { file: '26-xen-hvm-msi-init', shows: ['v2-26'], kernels: ['series:25', 'series:26'] },
  { file: '27-xen-teardown', shows: ['v2-27'], kernels: ['series:26', 'series:27'] },
  { file: '28-xen-init', shows: ['v2-28'], kernels: ['series:27', 'series:28'] },
  { file: '29-alloc-override', shows: ['v2-29'], kernels: ['series:28', 'series:29'] },
  { file: '30-xen-domain', shows: ['v2-30'], kernels: ['series:29', 'series:30'] },
  { file: '31-intel-device', shows: ['v2-25', 'v2-31'], kernels: ['v5.10-v2-31', 'v5.10'] },
  { file: '31-virtual-functions', shows: ['vf-inherits-msi-domain'], kernels: ['v5.10', 'v5.10-vf-inherits-msi-domain'] },
  { file: '32-amd-device', shows: ['v2-32'], kernels: ['v5.10-v2-32', 'v5.10'] },
  { file: '33-device-domain', shows: ['v2-33'], kernels: ['series:32', 'series:33'] },
  { file: '35-no-fallback', shows: ['v2-34', 'v2-35'], kernels: ['series:34', 'series:35'] },
  { file: '36-xen-private-ops', shows: ['v2-36'], kernels: ['series:35', 'series:36'] },
  { file: '37-intel-getter-no-msi', shows: ['v2-37'], kernels: ['series:36+dmar-hpet-msi-flags-v2-33-v2-35-v2-36', 'series:37+dmar-hpet-msi-flags-v2-33-v2-35-v2-36'] },
  { file: '38-amd-getter-no-msi', shows: ['v2-38'], kernels: ['series:37-v2-18-v2-19-v2-33-v2-35-v2-36', 'series:38-v2-18-v2-19-v2-33-v2-35-v2-36'] },
  { file: '40-x86-msi-prepare', shows: ['v2-40'], kernels: ['series:39', 'series:40'] },
  { file: '41-default-ack', shows: ['v2-41'], kernels: ['v5.10+device-msi', 'v5.10+device-msi-v2-41'] },
  { file: '42-bus-lock', shows: ['v2-42'], kernels: ['v5.10+device-msi+ims-queue-usable-v2-42', 'v5.10+device-msi+ims-queue-usable'] },
  { file: '43-default-flags', shows: ['v2-43'], kernels: ['series:42', 'series:43'] },
  { file: '46-ims', shows: ['v2-39', 'v2-44', 'v2-45', 'v2-46'], kernels: ['series:45', 'series:46'] },
];

export const exampleOf = (id: ChangeId): SeriesExample | undefined => SERIES_EXAMPLES.find(({ shows }) => shows.includes(id));

/** As a path in the project. */
export const pathOf = ({ file }: SeriesExample): string => `examples/series/${file}.irq.yaml`;
