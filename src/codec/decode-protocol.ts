// What the main thread and a decoding thread say to each other. One job at a time: from bytes to bytes
// (job → result | failure), or from stream to stream (job → (need → input | chunk → more)* → done | failure).
import type { ErrorCode } from '../errors.ts';
import type { CodecName } from './sniff.ts';

/** The codecs that are worth a thread of their own. */
export type WorkerCodec = Exclude<CodecName, 'gzip' | 'none'>;

export interface Job {
  readonly codec: WorkerCodec;
  readonly limit: number;
  readonly what: string;
  /** All of the input; absent when it is a stream. */
  readonly bytes?: Uint8Array;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

export type ToWorker =
  | { readonly type: 'job'; readonly job: Job }
  /** The answer to 'need'; no bytes at the end of the input. */
  | { readonly type: 'input'; readonly bytes?: Uint8Array }
  /** A chunk was taken. */
  | { readonly type: 'more' };

export type FromWorker =
  | { readonly type: 'result'; readonly bytes: Uint8Array }
  | { readonly type: 'failure'; readonly failure: Failure }
  | { readonly type: 'need' }
  | { readonly type: 'chunk'; readonly bytes: Uint8Array }
  | { readonly type: 'done' };

/** Bytes that can be transferred: alone in their memory. */
export function transferable(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const alone = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  return alone ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
