// What every scanner format becomes: findings about system packages, and what the report says it is about.
import type { Finding } from '../packages/package.ts';

export interface Report {
  /** Name of the format, for messages and the result: "trivy", "copa". */
  readonly format: string;
  /** File name, for messages. */
  readonly source: string;
  readonly findings: readonly Finding[];
  /** Findings about language packages, which are not system packages. */
  readonly languageFindings: number;
  readonly os: { readonly family: string; readonly version: string } | undefined;
  readonly architecture: string | undefined;
  readonly variant: string | undefined;
  /** What identifies the image, as far as the scanner says. Empty lists: unknown. */
  readonly subject: {
    readonly diffIds: readonly string[];
    readonly configDigest: string | undefined;
    /** Digests of manifests or indexes. */
    readonly manifestDigests: readonly string[];
  };
}

/** One scanner format: recognised by content, never by file name. */
export interface ReportFormat {
  readonly name: string;
  detect(document: unknown): boolean;
  /** Throws REPORT_INVALID or REPORT_UNSUPPORTED. */
  parse(document: unknown, source: string): Report;
}
