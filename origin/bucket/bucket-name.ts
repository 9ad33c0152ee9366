// The one bucket that the bucket process serves: the first segment of every path, as S3 has it.

export const bucketName = 'mirrorball'
