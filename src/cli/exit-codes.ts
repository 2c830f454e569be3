// Exit statuses are an interface (docs/cli.md): every error code belongs to exactly one.
import { OnlayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

const STATUS: Readonly<Record<ErrorCode, number>> = {
  INTERNAL: 1,
  USAGE: 2,
  CONFIG_INVALID: 2,
  REFERENCE_INVALID: 2,
  REPORT_INVALID: 3,
  REPORT_UNSUPPORTED: 3,
  REPORT_MISMATCH: 3,
  PLAN_INVALID: 3,
  PLAN_MISMATCH: 3,
  IMAGE_NOT_FOUND: 4,
  IMAGE_INVALID: 4,
  IMAGE_UNSUPPORTED: 4,
  PLATFORM_NOT_FOUND: 4,
  ARCHIVE_INVALID: 4,
  NO_PACKAGE_DATABASE: 4,
  DATABASE_INVALID: 4,
  DISTRO_UNSUPPORTED: 4,
  DISTRO_END_OF_LIFE: 4,
  REPOSITORIES_MISSING: 4,
  FIX_UNAVAILABLE: 5,
  SIGNATURE_INVALID: 6,
  DIGEST_MISMATCH: 6,
  SIZE_MISMATCH: 6,
  INDEX_INVALID: 6,
  INDEX_EXPIRED: 6,
  PACKAGE_INVALID: 6,
  LIMIT_EXCEEDED: 6,
  SCRIPT_REFUSED: 7,
  TARGET_REFUSED: 7,
  CONFLICT: 7,
  AUTH_REQUIRED: 8,
  AUTH_DENIED: 8,
  NETWORK: 75,
  SERVER: 75,
  TIMEOUT: 75,
  ABORTED: 75,
};

export function exitStatus(error: unknown): number {
  return error instanceof OnlayError ? STATUS[error.code] : 1;
}
