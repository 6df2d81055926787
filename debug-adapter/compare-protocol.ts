// What an extension that shows two kernels side by side asks of each one's adapter. Types only: every value is JSON.
// Each session compares itself with the other one's kernel; who drives both asks the one that stopped for the counterpart, and sends the other one there.

export interface CompareRequests {
  /**
   * Compares this session's run with another kernel's, from now on; without `kernel`: no more. Both runs are recorded in the background:
   * the event irqstep/compared says when that is over. Asking again for the same kernel is free, as long as no restart has come between.
   */
  'irqstep/compare': { arguments: { kernel?: string }; body: { kernel: string; state: 'comparing' | 'ready' | 'alone' } };
  /** Where the other run stands when this one stands where it does. Needs a stopped run, and a comparison that is ready. */
  'irqstep/counterpart': { arguments: Record<string, never>; body: Place };
  /** Goes to a step of the run, as the counterpart named it; the stop that follows has the reason `goto`, or `end`. Needs a stopped run. */
  'irqstep/goTo': { arguments: { step: number }; body: Record<string, never> };
}

/** Body of the event irqstep/compared. */
export interface Compared {
  /** the other kernel */
  kernel: string;
  /** why there is no comparison */
  error?: string;
}

export interface Place {
  /** of the other run */
  step: number;
  /** false: it has no such statement, and goes to the next one that both have */
  exact: boolean;
  /** frames of the thread that stopped that are not the same on both kernels, top first */
  marks: FrameMark[];
}

export interface FrameMark {
  /** as in a frame's source */
  path: string;
  line: number;
  /** "only on v5.9" */
  text: string;
}
