// Archives inside a package or an index that cannot be read are a defect of that package or index.
import { OnlayError, hasCode } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';

/** Runs `read`; what is wrong with an archive or its compression is thrown again with `code`. */
export function recode<T>(code: ErrorCode, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!hasCode(error, 'ARCHIVE_INVALID')) throw error;
    throw new OnlayError(code, error.message, { hint: error.hint, cause: error });
  }
}
