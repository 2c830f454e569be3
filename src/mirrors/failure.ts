// Failures of connections (base/connect-error.ts) as errors of a fetch: code, words, hint, and whether a retry may help.
// undici's ProxyAgent has ways of its own to say that a proxy refused.
import { connectError, mayPass } from '../base/connect-error.ts';
import type { ConnectErrorKind } from '../base/connect-error.ts';
import type { ErrorCode } from '../errors.ts';

export interface Failure {
  readonly code: ErrorCode;
  readonly why: string;
  readonly retry: boolean;
  readonly hint?: string | undefined;
}

/** Thrown instead of what undici would take for a passing failure and repeat without end (connections.ts). */
export class ProxyClosed extends Error {
  override readonly name = 'ProxyClosed';
}

const HINTS: Partial<Record<ConnectErrorKind, string>> = {
  untrusted: 'name the file of the certificate authority with --ca FILE',
};

export function describeFailure(error: unknown): Failure {
  if (error instanceof ProxyClosed)
    return { code: 'NETWORK', why: 'the proxy closed the connection', retry: true };
  const { code, message = '' } = error as { readonly code?: unknown; readonly message?: string };
  if (code === 'UND_ERR_ABORTED')
    return message.includes('(407)')
      ? { code: 'AUTH_REQUIRED', why: 'the proxy asks for a user name and password', retry: false }
      : { code: 'NETWORK', why: 'the proxy refused the connection', retry: false };
  const { kind, text } = connectError(error, { connecting: true });
  return {
    code: kind === 'timeout' ? 'TIMEOUT' : 'NETWORK',
    why: text,
    retry: mayPass(kind),
    hint: HINTS[kind],
  };
}
