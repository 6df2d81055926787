import { bitmap } from './bitmap';

/** A set of CPUs. Values are made, not changed, by the functions below; a mask that lives in a structure is replaced or copied into. */
export class cpumask extends bitmap {
  static of(nbits: number, ...cpus: number[]): cpumask {
    const mask = new cpumask(nbits);
    for (const cpu of cpus) mask.set(cpu);
    return mask;
  }

  copy(): cpumask {
    return new cpumask(this.nbits).copyFrom(this);
  }

  and(other: cpumask): cpumask {
    const out = new cpumask(this.nbits);
    for (let i = 0; i < out.words.length; i++) out.words[i] = this.words[i] & other.words[i];
    return out;
  }

  or(other: cpumask): cpumask {
    const out = new cpumask(this.nbits);
    for (let i = 0; i < out.words.length; i++) out.words[i] = this.words[i] | other.words[i];
    return out;
  }

  andNot(other: cpumask): cpumask {
    const out = new cpumask(this.nbits);
    for (let i = 0; i < out.words.length; i++) out.words[i] = this.words[i] & ~other.words[i];
    return out;
  }

  /** First CPU of the mask, or `nbits` (the kernel's nr_cpu_ids) for an empty one. */
  get first(): number {
    const cpu = this.next(0);
    return cpu < 0 ? this.nbits : cpu;
  }
}
