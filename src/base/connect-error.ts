// Why there was no answer, or no whole one. Node, TLS and undici name the same thing in many ways; here they become one
// of a few kinds, which decide whether another attempt makes sense, and words. Hints are the adapters' own.
import { messageOf } from '../errors.ts';

export type ConnectErrorKind =
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
  | 'other';

export interface ConnectError {
  readonly kind: ConnectErrorKind;
  readonly text: string;
}

/** `connecting`: there was no connection yet, so that bytes which are not TLS are not a cut of it. */
export function connectError(error: unknown, options: { readonly connecting: boolean }): ConnectError {
  const root = rootOf(error);
  const code = codeOf(root);
  const kind = kindOf(code, options.connecting);
  return { kind, text: explain(kind, code, root) };
}

/** Whether it may pass by itself. */
export function mayPass(kind: ConnectErrorKind): boolean {
  return kind === 'reset' || kind === 'timeout' || kind === 'unreachable' || kind === 'refused';
}

/** undici wraps what the socket said, and Node gathers the failures of several addresses. */
function rootOf(error: unknown): unknown {
  let at = error;
  for (let depth = 0; depth < 5; depth++) {
    const next =
      at instanceof AggregateError
        ? (at.errors[0] as unknown)
        : codeOf(at) === '' && at instanceof Error
          ? at.cause
          : undefined;
    if (next === undefined || next === null) break;
    at = next;
  }
  return at;
}

function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

const KINDS: Readonly<Record<string, ConnectErrorKind>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ECONNABORTED: 'reset',
  UND_ERR_SOCKET: 'reset',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'reset',
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
  UND_ERR_PRX_TLS: 'untrusted',
};

function kindOf(code: string, connecting: boolean): ConnectErrorKind {
  const known = KINDS[code];
  if (known) return known;
  // a TLS alert in the handshake is the server's refusal, also where it is about our certificate
  if (/^ERR_SSL_.*ALERT/.test(code)) return 'tls-refused';
  if (/^ERR_TLS_|CERT|^UNABLE_TO_|SELF_SIGNED|^HOSTNAME_MISMATCH|^INVALID_CA|^CRL_/.test(code))
    return 'untrusted';
  // the rest of OpenSSL's complaints are about bytes that are not TLS
  if (code.startsWith('ERR_SSL_')) return connecting ? 'not-tls' : 'reset';
  return 'other';
}

function explain(kind: ConnectErrorKind, code: string, error: unknown): string {
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
    case 'other':
      return code.startsWith('HPE_') ? `the answer is not HTTP${suffix}` : `${messageOf(error)}${suffix}`;
    default:
      return kind satisfies never;
  }
}
