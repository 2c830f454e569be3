// Why an exchange got no answer: the kinds of base/connect-error.ts and two of our own. They decide whether another
// attempt makes sense and whether plain http may be tried.
import { connectError, mayPass, type ConnectErrorKind } from '../../base/connect-error.ts';
import { hasCode, OnlayError } from '../../errors.ts';

export type FailureKind =
  | ConnectErrorKind
  /** What a proxy said instead of connecting us. */
  | 'proxy'
  /** An address we must not be led to. */
  | 'forbidden';

/** Thrown by the transport instead of an answer. */
export class ExchangeFailure extends Error {
  override readonly name = 'ExchangeFailure';
  readonly kind: FailureKind;
  /** True when no connection came about, so that the server has seen nothing. */
  readonly connecting: boolean;

  constructor(kind: FailureKind, message: string, options: { connecting?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.connecting = options.connecting ?? false;
  }

  get retryable(): boolean {
    return this.kind !== 'proxy' && this.kind !== 'forbidden' && mayPass(this.kind);
  }
}

/** Anything thrown by undici, TLS or a socket → ExchangeFailure. OnlayErrors (from a body of ours) pass unchanged. */
export function asFailure(error: unknown, connecting = false): ExchangeFailure | OnlayError {
  if (error instanceof ExchangeFailure || error instanceof OnlayError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'AbortError') return new OnlayError('ABORTED', 'The run was cancelled', { cause: error });
  if (name === 'TimeoutError')
    return new ExchangeFailure('timeout', 'no complete answer in time', { connecting, cause: error });
  const { kind, text } = connectError(error, { connecting });
  return new ExchangeFailure(kind, text, { connecting, cause: error });
}

/** The error for people, from the failure of `doing` at `place`. */
export function failureError(failure: ExchangeFailure, doing: string, place: string): OnlayError {
  return new OnlayError(
    failure.kind === 'timeout' ? 'TIMEOUT' : 'NETWORK',
    `Cannot ${doing}: ${place}: ${failure.message}`,
    { hint: HINTS[failure.kind], cause: failure },
  );
}

/** True when a failed body can be opened again: what came was damaged or cut on its way. */
export function isDamaged(error: unknown): boolean {
  return hasCode(error, 'DIGEST_MISMATCH', 'SIZE_MISMATCH');
}

const HINTS: Partial<Record<FailureKind, string>> = {
  refused: 'is the registry running, and is the port right?',
  'unknown-host': 'check the host name, and HTTPS_PROXY if the network needs a proxy',
  'not-tls': 'if this registry speaks plain http, say so with --plain-http HOST',
  untrusted: 'trust its authority with --ca FILE, or skip verification with --insecure HOST',
  'tls-refused': 'if it wants a client certificate, put NAME.cert and NAME.key into certs.d/HOST',
  proxy: 'check HTTPS_PROXY, HTTP_PROXY and NO_PROXY',
};
