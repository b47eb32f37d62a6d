import { docCommandsAreMarked } from './docs-commands.ts';
import {
  decisionsArePure,
  noAny,
  noConsoleInLibs,
  noDefaultExports,
  noSilencedCompiler,
  noTestLeftOut,
  shortFunctions,
} from './rules/code.ts';
import { dockerfilesNameWhatIsThere } from './rules/docker.ts';
import {
  declaredIsImported,
  everyPackageHasARung,
  importsAreDeclared,
  importsGoDownTheLadder,
  noDeepImports,
  packagesFormNoCircle,
} from './rules/imports.ts';
import { ladderIsDocumented } from './rules/ladder-table.ts';
import {
  entriesExist,
  namesSayWhatItIs,
  noDeadFiles,
  oneIndexPerPackage,
  testsStandBesideTheSource,
} from './rules/layout.ts';
import {
  packagesAreDescribed,
  readmeExamplesAreTested,
  versionsAreExact,
} from './rules/packages.ts';
import {
  noBoundLimits,
  noMachinePaths,
  noRegistryHosts,
  nothingIsUnfinished,
} from './rules/text.ts';
import type { Rule } from './source-tree.ts';

/** Every rule that the source keeps. Each has a planted breach in `rules.test.ts`. */
export const rules: readonly Rule[] = [
  everyPackageHasARung,
  importsGoDownTheLadder,
  packagesFormNoCircle,
  importsAreDeclared,
  declaredIsImported,
  noDeepImports,
  noAny,
  noSilencedCompiler,
  noDefaultExports,
  noConsoleInLibs,
  shortFunctions,
  noTestLeftOut,
  decisionsArePure,
  namesSayWhatItIs,
  testsStandBesideTheSource,
  oneIndexPerPackage,
  entriesExist,
  noDeadFiles,
  versionsAreExact,
  packagesAreDescribed,
  readmeExamplesAreTested,
  nothingIsUnfinished,
  noBoundLimits,
  noMachinePaths,
  noRegistryHosts,
  ladderIsDocumented,
  docCommandsAreMarked,
  dockerfilesNameWhatIsThere,
];
