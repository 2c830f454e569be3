// Loaded before every test file: generated cases are the same in every run, so that what passed passes again.
// ONLAY_SEED=random looks for new ones, ONLAY_SEED=n repeats those of seed n.
import fc from 'fast-check';

const wanted = process.env['ONLAY_SEED'] ?? '7';
if (wanted !== 'random') fc.configureGlobal({ seed: Number(wanted) });
