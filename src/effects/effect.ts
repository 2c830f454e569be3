// What maintainer scripts would have done to the image, done natively. An effect names the scripts it stands for, so
// that the result can say of every script: emulated (by which effect), no-op, or not run.
import type { Log } from '../base/log.ts';
import type { Draft } from '../rootfs/draft.ts';
import type { Inspector } from '../rootfs/layer-index.ts';

/** A script the real package manager would have run in this upgrade. */
export interface ScriptRun {
  readonly package: string;
  readonly arch?: string;
  /** As the family calls it: 'postinst', '%post', 'post-upgrade', 'trigger', … */
  readonly script: string;
  readonly interpreter: string;
  /** Byte string. */
  readonly body: string;
}

export interface ChangedPackage {
  readonly name: string;
  readonly arch: string;
  readonly from: string | undefined;
  readonly to: string;
  /** Set when it is removed instead. */
  readonly removed?: true;
}

export interface EffectContext {
  readonly family: 'dpkg' | 'apk' | 'rpm';
  /** The image with files and database of the upgrade; effects write to it. `draft.base` is the image before. */
  readonly draft: Draft;
  readonly packages: readonly ChangedPackage[];
  readonly scripts: readonly ScriptRun[];
  /** OCI architecture. */
  readonly imageArch: string;
  /** Time for what has none of its own, seconds since 1970. */
  readonly epoch: number;
  readonly log: Log;
  /** The family's order of versions. */
  readonly compareVersions: (a: string, b: string) => number;
  readonly warn: (message: string) => void;
}

export interface Effect {
  /** Stable name, as the result shows it in `by`. */
  readonly name: string;
  readonly families: readonly EffectContext['family'][];
  /** True when this effect does all that `script` would have done on this upgrade: the script is not looked into. */
  standsFor(script: ScriptRun, context: EffectContext): boolean;
  /** Why `script` would have changed nothing, for scripts that are known as a whole. */
  noOp?(script: ScriptRun, context: EffectContext): string | undefined;
  /** True when this effect does what one command of a script would have done; words may hold UNKNOWN. */
  covers?(command: readonly string[], context: EffectContext): boolean;
  /** Does it. Must be idempotent and change nothing when nothing it depends on has changed. */
  apply(context: EffectContext): void | Promise<void>;
  /** Facts it needs of file contents that are not kept. */
  readonly inspectors?: readonly Inspector[];
  /** Contents it needs. */
  captures?(path: string, size: number): boolean;
}
