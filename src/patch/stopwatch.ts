// Wall time of each stage, for the result's `timings`. It reaches no image.

export interface Stopwatch {
  time<T>(stage: string, work: () => T | Promise<T>): Promise<T>;
  /** Milliseconds by stage, in the order stages began; the same stage of several platforms adds up. */
  readonly timings: Readonly<Record<string, number>>;
}

export function startStopwatch(): Stopwatch {
  const timings: Record<string, number> = {};
  return {
    timings,
    async time(stage, work) {
      timings[stage] ??= 0;
      const start = performance.now();
      try {
        return await work();
      } finally {
        timings[stage] = Math.round((timings[stage] ?? 0) + performance.now() - start);
      }
    },
  };
}
