import type { Op } from '../../stepper/op';
import { cpus_read_lock, cpus_read_unlock } from '../cpu';
import { irq_affinity_desc, type irq_affinity } from '../include/interrupt';
import { nr_node_ids, topology_sibling_cpumask } from '../include/topology';
import { cpumask } from '../lib/cpumask';
import { ENOMEM } from '../lib/errno';
import { WARN_ON, WARN_ON_ONCE } from '../lib/printk';
import { kzalloc, should_fail } from '../lib/slab';
import { sort } from '../lib/sort';
import { has, kernel } from '../world';

const IRQ_AFFINITY_MAX_SETS = 4;

/** Move `cpus_per_vec` CPUs from nmsk to irqmsk: the first one, then its siblings, then the next. */
function* irq_spread_init_one(irqmsk: cpumask, nmsk: cpumask, cpus_per_vec: number): Op {
  while (cpus_per_vec > 0) {
    const cpu = nmsk.first;
    if (cpu >= kernel.nr_cpu_ids) return;
    nmsk.clear(cpu);
    irqmsk.set(cpu);
    cpus_per_vec--;

    for (const sibl of topology_sibling_cpumask(cpu)) {
      if (cpus_per_vec === 0) break;
      if (!nmsk.test(sibl)) continue;
      nmsk.clear(sibl);
      irqmsk.set(sibl);
      cpus_per_vec--;
    }
  }
}

/** The array, and a mask for each node. @returns 0 or -ENOMEM */
function* alloc_node_to_cpumask(): Op<number> {
  if (should_fail('alloc_node_to_cpumask: masks')) return -ENOMEM;
  for (let node = 0; node < nr_node_ids(); node++) if (should_fail('alloc_node_to_cpumask: masks[node]')) return -ENOMEM;
  return 0;
}

/** @returns each node's possible CPUs */
function* build_node_to_cpumask(): Op<cpumask[]> {
  const masks = Array.from({ length: nr_node_ids() }, () => new cpumask(kernel.nr_cpu_ids));
  for (const cpu of kernel.cpu_possible_mask) masks[kernel.cpu_to_node[cpu]].set(cpu);
  return masks;
}

/** @returns the nodes that have a CPU of `mask` */
function* get_nodes_in_cpumask(node_to_cpumask: readonly cpumask[], mask: cpumask): Op<number[]> {
  return [...node_to_cpumask.keys()].filter((node) => mask.intersects(node_to_cpumask[node]));
}

/** UINT_MAX CPUs: the node takes no part. Differences wrap, so it sorts as the smallest, not the largest. */
const NO_CPUS = -1;

/** A node's share of the vectors. */
interface node_vectors {
  readonly id: number;
  ncpus: number;
  nvectors: number;
}

/**
 * Give each node vectors in proportion to its CPUs, at least one: the smallest node chooses first, and rounding goes to the larger ones.
 * @returns the nodes in the order in which they were served. Source: kernel/irq/affinity.c, alloc_nodes_vectors()
 */
function* alloc_nodes_vectors(numvecs: number, node_to_cpumask: readonly cpumask[], cpu_mask: cpumask, nodemsk: readonly number[]): Op<node_vectors[]> {
  const nodes = node_to_cpumask.map((_, id): node_vectors => ({ id, ncpus: NO_CPUS, nvectors: 0 }));
  let remaining_ncpus = 0;
  for (const n of nodemsk) {
    const ncpus = cpu_mask.and(node_to_cpumask[n]).weight;
    if (ncpus === 0) continue;
    remaining_ncpus += ncpus;
    nodes[n].ncpus = ncpus;
  }
  numvecs = Math.min(remaining_ncpus, numvecs);

  sort(nodes, (a, b) => a.ncpus - b.ncpus);

  for (const node of nodes) {
    const { ncpus } = node;
    if (ncpus === NO_CPUS) continue;
    WARN_ON_ONCE(numvecs === 0, 'kernel/irq/affinity.c alloc_nodes_vectors', 'none left');
    node.nvectors = Math.max(1, Math.floor((numvecs * ncpus) / remaining_ncpus));
    WARN_ON_ONCE(node.nvectors > ncpus, 'kernel/irq/affinity.c alloc_nodes_vectors');
    remaining_ncpus -= ncpus;
    numvecs -= node.nvectors;
  }
  return nodes;
}

/**
 * Spread the CPUs of cpu_mask over masks[firstvec .. firstvec + numvecs), starting at startvec and going round.
 * @returns how many vectors got CPUs, or -ENOMEM. Source: kernel/irq/affinity.c, __irq_build_affinity_masks()
 */
function* __irq_build_affinity_masks(
  startvec: number, numvecs: number, firstvec: number, node_to_cpumask: readonly cpumask[], cpu_mask: cpumask, masks: readonly irq_affinity_desc[],
): Op<number> {
  const last_affv = firstvec + numvecs;
  let curvec = startvec;
  let done = 0;
  if (cpu_mask.empty) return 0;

  const nodemsk = yield* get_nodes_in_cpumask(node_to_cpumask, cpu_mask);
  // fewer vectors than nodes: whole nodes
  if (numvecs <= nodemsk.length) {
    for (const n of nodemsk) {
      const nmsk = has('affinity-unbalanced-nodes') ? cpu_mask.and(node_to_cpumask[n]) : node_to_cpumask[n];
      masks[curvec].mask = masks[curvec].mask.or(nmsk);
      if (++curvec === last_affv) curvec = firstvec;
    }
    return numvecs;
  }

  if (should_fail('__irq_build_affinity_masks: node_vectors')) return -ENOMEM;
  for (const nv of yield* alloc_nodes_vectors(numvecs, node_to_cpumask, cpu_mask, nodemsk)) {
    if (nv.ncpus === NO_CPUS) continue;
    const nmsk = cpu_mask.and(node_to_cpumask[nv.id]);
    let extra_vecs = nv.ncpus % nv.nvectors;
    for (let v = 0; v < nv.nvectors; v++, curvec++) {
      let cpus_per_vec = Math.floor(nv.ncpus / nv.nvectors);
      if (extra_vecs > 0) {
        cpus_per_vec++;
        extra_vecs--;
      }
      if (curvec >= last_affv) curvec = firstvec;
      yield* irq_spread_init_one(masks[curvec].mask, nmsk, cpus_per_vec);
    }
    done += nv.nvectors;
  }
  return done;
}

/** First the CPUs that are present, then those that may be plugged in. @returns 0 or -ENOMEM */
function* irq_build_affinity_masks(startvec: number, numvecs: number, firstvec: number, masks: readonly irq_affinity_desc[]): Op<number> {
  for (const mask of ['nmsk', 'npresmsk']) if (should_fail(`irq_build_affinity_masks: ${mask}`)) return -ENOMEM;
  if (yield* alloc_node_to_cpumask()) return -ENOMEM;

  yield* cpus_read_lock();
  const node_to_cpumask = yield* build_node_to_cpumask();
  const nr_present = yield* __irq_build_affinity_masks(startvec, numvecs, firstvec, node_to_cpumask, kernel.cpu_present_mask, masks);

  if (nr_present < 0) {
    yield* cpus_read_unlock();
    return nr_present;
  }

  const curvec = nr_present >= numvecs ? firstvec : firstvec + nr_present;
  const npresmsk = kernel.cpu_possible_mask.andNot(kernel.cpu_present_mask);
  const nr_others = yield* __irq_build_affinity_masks(curvec, numvecs, firstvec, node_to_cpumask, npresmsk, masks);
  yield* cpus_read_unlock();
  if (nr_others < 0) return nr_others;
  WARN_ON(nr_present + nr_others < numvecs, 'kernel/irq/affinity.c irq_build_affinity_masks');
  return 0;
}

function* default_calc_sets(affd: irq_affinity, affvecs: number): Op {
  affd.nr_sets = 1;
  affd.set_size[0] = affvecs;
}

/**
 * Where each of `nvecs` vectors shall go: those before and after the driver's own at the default affinity, the rest spread and managed.
 * @returns one for each vector; null when none is to be spread, and without memory: then none is managed. Source: kernel/irq/affinity.c, irq_create_affinity_masks()
 */
export function* irq_create_affinity_masks(nvecs: number, affd: irq_affinity): Op<irq_affinity_desc[] | null> {
  const affvecs = Math.max(0, nvecs - affd.pre_vectors - affd.post_vectors);
  affd.calc_sets ??= default_calc_sets;
  yield* affd.calc_sets(affd, affvecs);
  if (WARN_ON_ONCE(affd.nr_sets > IRQ_AFFINITY_MAX_SETS, 'kernel/irq/affinity.c irq_create_affinity_masks')) return null;
  if (affvecs === 0) return null;

  const masks = kzalloc('irq_create_affinity_masks: masks', () => Array.from({ length: nvecs }, () => new irq_affinity_desc(new cpumask(kernel.nr_cpu_ids), false)));
  if (!masks) return null;
  let curvec = 0;
  for (; curvec < affd.pre_vectors; curvec++) masks[curvec].mask.copyFrom(kernel.irq_default_affinity);

  let usedvecs = 0;
  for (let i = 0; i < affd.nr_sets; i++) {
    const this_vecs = affd.set_size[i];
    if (yield* irq_build_affinity_masks(curvec, this_vecs, curvec, masks)) return null;
    curvec += this_vecs;
    usedvecs += this_vecs;
  }

  curvec = affd.pre_vectors + Math.min(usedvecs, affvecs);
  for (; curvec < nvecs; curvec++) masks[curvec].mask.copyFrom(kernel.irq_default_affinity);
  for (let i = affd.pre_vectors; i < nvecs - affd.post_vectors; i++) masks[i].is_managed = true;
  return masks;
}

/** How many vectors make sense: one for each possible CPU, if the driver does not say otherwise, and the unspread ones. @returns 0 when those alone are more than minvec. Source: kernel/irq/affinity.c, irq_calc_affinity_vectors() */
export function* irq_calc_affinity_vectors(minvec: number, maxvec: number, affd: irq_affinity): Op<number> {
  const resv = affd.pre_vectors + affd.post_vectors;
  if (resv > minvec) return 0;

  let set_vecs = maxvec - resv;
  if (!affd.calc_sets) {
    yield* cpus_read_lock();
    set_vecs = kernel.cpu_possible_mask.weight;
    yield* cpus_read_unlock();
  }
  return resv + Math.min(set_vecs, maxvec - resv);
}
