import assert from 'node:assert/strict';
import { verify } from '../../src/capture/verify';

describe('a capture of 5.10.223 on a kernel without one of its changes', function () {
  this.timeout(60_000);
  /** Without which change the first difference is where, and what stands there on both sides. */
  const cases: readonly (readonly [without: string, where: RegExp, captured: RegExp, model: RegExp])[] = [
    ['v2-04', /^irqlens.txt, snapshot e1000e-probed, irq 25$/, /addr_lo 0xfee00218 data 0x00000000/, /addr_lo 0xfee01004 data 0x000040ef/],
    ['v2-19', /^graph-tree.txt:38$/, /pci_msi_domain_set_desc/, /pci_msi_set_desc/],
    ['vector-search-order', /^trace-vectors.txt:165$/, /irq_matrix_online/, /vector_alloc: irq=0 .* ret=-22/],
    ['domain-alloc-locked', /^graph-tree.txt:40$/, /irq_domain_alloc_irqs_locked/, /__irq_alloc_descs/],
    ['vector-leak-cpu-offline', /^trace-vectors.txt:369$/, /kp_force_complete/, /kp_do_set_affinity/],
  ];
  for (const [without, where, captured, model] of cases) {
    it(`differs first where ${without} shows`, () => {
      const [first] = verify('test/captures/5.10.0-32-n-4cpu-1nvme-min-intelir', () => undefined, `v5.10.223-${without}`).differences;
      assert.match(first.where, where);
      assert.match(first.captured ?? '', captured);
      assert.match(first.model ?? '', model);
    });
  }
});
