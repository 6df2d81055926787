// What is another value than at the last stop.
import type { Field } from '../panel-protocol';

type Values = Map<string, string>;

/** Keeps what was shown at the last stop, by the thing it was shown of: "irq 24", "matrix". */
export class ChangeTracker {
  private before = new Map<string, Values>();
  private now = new Map<string, Values>();

  /** The stop is over: what it showed is what the next one compares with. */
  leave(): void {
    if (this.now.size === 0) return;
    this.before = this.now;
    this.now = new Map();
  }

  /** Forgets: a new run compares with nothing. */
  reset(): void {
    this.before.clear();
    this.now.clear();
  }

  /** The same fields, with those marked that differ from the last stop. Of what was not shown then, none is. */
  fields(of: string, fields: readonly Field[]): Field[] {
    const values: Values = new Map();
    const marked = this.mark(fields, '', this.before.get(of), values);
    this.now.set(of, values);
    return marked;
  }

  /** One value of a list, marked likewise. */
  value(of: string, key: string, value: string): { changed?: true } {
    const before = this.before.get(of);
    const values = this.now.get(of) ?? new Map<string, string>();
    values.set(key, value);
    this.now.set(of, values);
    return before !== undefined && before.get(key) !== value ? { changed: true } : {};
  }

  private mark(fields: readonly Field[], path: string, before: Values | undefined, values: Values): Field[] {
    return fields.map(field => {
      const key = `${path}.${field.name}`;
      values.set(key, field.value);
      const was = before?.get(key);
      return {
        ...field,
        ...(before !== undefined && was !== field.value ? { changed: true as const, ...(was === undefined ? {} : { was }) } : {}),
        ...(field.fields ? { fields: this.mark(field.fields, key, before, values) } : {}),
      };
    });
  }
}
