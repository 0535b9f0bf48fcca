import row from '../../shaders/lib_row.wgsl';
import type { AdapterProfile } from '../gpu/profile.ts';
import type { TemplateValues } from './template.ts';

/** How the rows of shaders/lib_row.wgsl are shared. */
interface RowTeam {
  /** A workgroup for each row rather than a thread. */
  readonly team: boolean;
  /** Threads of a workgroup, a power of two. */
  readonly lanes: number;
}

/** For shaders that include lib_row. */
export function rowPart({ subgroups }: AdapterProfile, { team, lanes }: RowTeam): Required<TemplateValues> {
  // Subgroups that no workgroup fills have lanes without values.
  const shuffles = team && subgroups !== null && subgroups.max <= lanes;
  return {
    include: { row },
    when: { TEAM: team, SUBGROUPS: shuffles },
    substitute: { LANES_: lanes, SUBGROUP_: shuffles ? subgroups.min : 1 },
  };
}
