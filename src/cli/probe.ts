import { probe } from '../host/probe.ts';

/* A process that tries one adapter, for the one that forked it: doctor.ts. */
process.send!(await probe(process.argv[2]!), () => process.disconnect());
