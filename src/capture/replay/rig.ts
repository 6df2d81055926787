// What the rig's scripts (main.sh, lens.sh, exhaust.sh) do in each step. The trace tells of the commands that leave marks ('$' here);
// it does not tell of module loads and traffic, nor where a snapshot was taken ('#label').
// `traffic`: packets, so that the network card's interrupts come.

const RELOAD_NIC = ['insmod e1000e', 'ip link set up', 'traffic'];

/** The script's items of a step; undefined for one that it does not have. @param cpus that the script found: on one it moves nothing */
export const rigOf = (step: string, cpus: number): readonly string[] | undefined => (cpus === 1 ? { ...RIG, ...ONE_CPU } : RIG)[step];

const RIG: Record<string, readonly string[]> = {
  'load-e1000e': ['insmod e1000e', '#e1000e-probed', 'ip link set up', 'traffic', '#load-e1000e'],
  'load-nvme': ['insmod nvme', '#load-nvme'],
  'load-virtio': ['insmod virtio_pci', 'insmod virtio_net', 'insmod virtio_blk', 'insmod virtio_rng', '#load-virtio'],
  'load-xhci': ['insmod xhci_pci', '#load-xhci'],
  'load-ahci': ['insmod ahci', '#load-ahci'],
  'affinity-e1000e-rx': ['$', '#aff-pending', 'traffic', '#aff-moved', 'traffic', '#aff-cleaned', '$', 'traffic', '#aff-all', '$', 'traffic', '#affinity-e1000e-rx'],
  'affinity-managed-nvme0q1': ['$', '#affinity-managed'],
  'nvme-io': ['#nvme-io', '$', 'traffic'],
  'cpu-offline': ['$', '#cpu-offline', 'traffic', '#cpu-offline-after-traffic'],
  'cpu-online': ['$', '#cpu-online'],
  'cpu1-offline': ['$', '#cpu1-offline'],
  'cpu1-online': ['$', '#cpu1-online'],
  'unload-nvme': ['$', '#unload-nvme'],
  'unload-e1000e': ['$', '#unload-e1000e'],
  'reload-nvme': ['insmod nvme', '#reload-nvme'],
  'reload-e1000e': [...RELOAD_NIC, '#reload-e1000e', '$', '$'],
  'unload-xhci': ['$', '#unload-xhci'],

  'lens-edu': [
    '$', '$', '#edu-alloc', '$', '#edu-req', '$', '$', '#edu-aff1', '$', '#edu-aff1-fire1', '$', '#edu-aff1-fire2', '$', '$', '$', '#edu-affN',
    '$', '$', '$', '$', '$', '$', '#edu-aff-back', '$', '$', '$',
  ],
  'edu-cpu-offline': ['$', '#edu-cpu-offline', '$', '#edu-cpu-offline-fire', '$', '#edu-cpu-online', '$', '#edu-unreq', '$', '#lens-edu'],
  'lens-msix': [
    '$', '$', '#msix4-alloc', '$', '#msix4-req', '$', '#msix4-aff', '$', '#msix4-unreq1', '$', '#msix4-rereq1', '$', '#msix4-unreq', '$', '#lens-msix4',
  ],
  'lens-msix-managed': ['$', '#msixmgd-alloc', '$', '#msixmgd-req', '$', '$', '#lens-msix-managed'],
  'lens-msix-managed-more': ['$', '#msixmgd2-alloc', '$', '#msixmgd2-req', '$', '$', '#lens-msix-managed-more'],
  'lens-multimsi': ['$', '$', '#mmsi-alloc', '$', '#mmsi-req', '$', '#mmsi-aff', '$', '$', '$', '#mmsi8-alloc', '$', '#lens-multimsi'],

  'exh-alloc': ['$', '$', '#exh-alloc'],
  'exh-request': ['$', '#exh-request'],
  'exh-one-more': ['$', '$', '#exh-onemore', '$'],
  'exh-managed': ['$', '#exh-managed', '$'],
  'exh-msi': ['$', '$', '$', '$'],
  'exh-offline': ['$', '#exh-offline'],
  'exh-free': ['$', '$', '#exh-free', '$', '#exh-online'],
  'exh-alloc2': ['$', '#exh2-alloc', '$', '#exh2-req', '$', '$'],
  'exh-half': ['$', '$', '#exh-half', '$', '#exh-half-offline', '$', '$', '$', '#exh-half-end'],

  'fg-load-nvme': ['insmod nvme'],
  'fg-load-e1000e': RELOAD_NIC,
  'fg-affinity': ['$', 'traffic'],
  'fg-offline': ['$', 'traffic'],
  'fg-online': ['$'],
  'fg-unload': ['$', '$'],
  'fg-edu': ['$', '$', '$', '$', '$'],
};

const ONE_CPU: typeof RIG = {
  'nvme-io': ['#nvme-io'],
  'lens-edu': ['$', '$', '#edu-alloc', '$', '#edu-req', '$', '$', '#edu-unreq', '$', '#lens-edu'],
  'lens-msix': ['$', '$', '#msix4-alloc', '$', '#msix4-req', '$', '#msix4-unreq1', '$', '#msix4-rereq1', '$', '#msix4-unreq', '$', '#lens-msix4'],
  'exh-offline': [],
  'exh-free': ['$', '$', '#exh-free'],
  'exh-half': ['$', '$', '#exh-half', '$', '$', '#exh-half-end'],
};

/** A snapshot with this label is taken behind the last step that the trace tells of. */
export const AFTER_TRACE = 'pre-fg';
/** A snapshot with this label is the last thing that the rig does. */
export const AT_END = 'final';
/** The rig sends its files through the second serial port. */
export const SEND = 'send';
