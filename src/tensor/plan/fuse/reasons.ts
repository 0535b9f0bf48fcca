/** Why a dispatch of a fused plan does more, or something else, than the kernel of one op. `explain` has the sentences. */
export type FusionReason =
  // In a kernel's load
  | 'normInLoad'
  | 'normReluInLoad'
  | 'correctionInLoad'
  | 'averageSpreadInLoad'
  | 'partReadInPlace'
  // In its store
  | 'writtenInSlot'
  | 'statisticsInEpilogue'
  | 'normBackwardInEpilogue'
  | 'gradientAccumulated'
  // Of a channel's numbers
  | 'statisticsMeasured'
  | 'statisticsJoined'
  | 'statisticsShared'
  | 'runningStatistics'
  | 'sumsJoined'
  // In another order
  | 'averageFirst'
  | 'averageFirstBackward'
  | 'dropoutWithNorm'
  // In memory after all
  | 'materialized'
  | 'visible'
  | 'correctedOnce'
  | 'copiedToSlot';
