// Why an exchange got no answer. Node, TLS and undici name the same thing in many ways; here they become one of a few
// kinds, which decide whether another attempt makes sense and whether plain http may be tried.
import { hasCode, messageOf, OnlayError } from '../../errors.ts';

export type FailureKind =
  | 'refused'
  | 'reset'
  | 'timeout'
  | 'unknown-host'
  | 'unreachable'
  /** The other side does not speak TLS. */
  | 'not-tls'
  /** It does, but its certificate does not count. Never retried, never downgraded. */
  | 'untrusted'
  /** The server ended the handshake, for example because it wants a client certificate. */
  | 'tls-refused'
  | 'proxy'
  | 'forbidden'
  | 'other';

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
    return (
      this.kind === 'reset' ||
      this.kind === 'timeout' ||
      this.kind === 'unreachable' ||
      this.kind === 'refused'
    );
  }
}

/** Anything thrown by undici, TLS or a socket → ExchangeFailure. OnlayErrors (from a body of ours) pass unchanged. */
export function asFailure(error: unknown, connecting = false): ExchangeFailure | OnlayError {
  if (error instanceof ExchangeFailure || error instanceof OnlayError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'AbortError') return new OnlayError('ABORTED', 'The run was cancelled', { cause: error });
  if (name === 'TimeoutError')
    return new ExchangeFailure('timeout', 'no complete answer in time', { connecting, cause: error });
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const code = (first as { code?: unknown } | undefined)?.code;
  const kind = typeof code === 'string' ? kindOf(code, connecting) : 'other';
  return new ExchangeFailure(kind, explain(kind, typeof code === 'string' ? code : '', first), {
    connecting,
    cause: error,
  });
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

const KINDS: Readonly<Record<string, FailureKind>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ECONNABORTED: 'reset',
  UND_ERR_SOCKET: 'reset',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  ENOTFOUND: 'unknown-host',
  EAI_AGAIN: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EPROTO: 'not-tls',
};

function kindOf(code: string, connecting: boolean): FailureKind {
  const known = KINDS[code];
  if (known) return known;
  if (/^ERR_TLS_|^CERT_|CERT|^UNABLE_TO_|SELF_SIGNED|^HOSTNAME_MISMATCH|^INVALID_CA|^CRL_/.test(code))
    return 'untrusted';
  // a TLS alert in the handshake is the server's refusal; the rest of OpenSSL's complaints are about non-TLS bytes
  if (/^ERR_SSL_.*ALERT/.test(code)) return 'tls-refused';
  if (code.startsWith('ERR_SSL_')) return connecting ? 'not-tls' : 'reset';
  return 'other';
}

function explain(kind: FailureKind, code: string, error: unknown): string {
  const suffix = code === '' ? '' : ` (${code})`;
  switch (kind) {
    case 'refused':
      return `the connection was refused${suffix}`;
    case 'reset':
      return `the connection was cut${suffix}`;
    case 'timeout':
      return `no answer in time${suffix}`;
    case 'unknown-host':
      return `the host name is not known${suffix}`;
    case 'unreachable':
      return `the host cannot be reached${suffix}`;
    case 'not-tls':
      return `the server does not speak TLS${suffix}`;
    case 'untrusted':
      return `the TLS certificate is not trusted: ${messageOf(error)}${suffix}`;
    case 'tls-refused':
      return `the server refused the TLS handshake${suffix}`;
    case 'proxy':
    case 'forbidden':
    case 'other':
      return code.startsWith('HPE_') ? `the answer is not HTTP${suffix}` : `${messageOf(error)}${suffix}`;
  }
}
