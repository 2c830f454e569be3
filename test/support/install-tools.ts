// Installs every program of Debian that suites compare with, where that is possible: `.ci/run` does so first, so that
// nothing is skipped there for want of a tool.
import { knownPrograms, requirePrograms } from './debian-tools.ts';

const missing = requirePrograms(...knownPrograms);
if (missing !== undefined) console.log(`some tests will be skipped: ${missing}`);
