//! The classes of mini-ImageNet by their WordNet numbers, in the split of Ravi and Larochelle (2017).

use crate::Split;

const TRAIN: [u32; 64] = [
    1_532_829, 1_558_993, 1_704_323, 1_749_939, 1_770_081, 1_843_383, 1_910_747, 2_074_367, 2_089_867, 2_091_831,
    2_101_006, 2_105_505, 2_108_089, 2_108_551, 2_108_915, 2_111_277, 2_113_712, 2_120_079, 2_165_456, 2_457_408,
    2_606_052, 2_687_172, 2_747_177, 2_795_169, 2_823_428, 2_966_193, 3_017_168, 3_047_690, 3_062_245, 3_207_743,
    3_220_513, 3_337_140, 3_347_037, 3_400_231, 3_476_684, 3_527_444, 3_676_483, 3_838_899, 3_854_065, 3_888_605,
    3_908_618, 3_924_679, 3_998_194, 4_067_472, 4_243_546, 4_251_144, 4_258_138, 4_275_548, 4_296_562, 4_389_033,
    4_435_653, 4_443_257, 4_509_417, 4_515_003, 4_596_742, 4_604_644, 4_612_504, 6_794_110, 7_584_110, 7_697_537,
    7_747_607, 9_246_464, 13_054_560, 13_133_613,
];
const VALIDATION: [u32; 16] = [
    1_855_672, 2_091_244, 2_114_548, 2_138_441, 2_174_001, 2_950_826, 2_971_356, 2_981_792, 3_075_370, 3_417_042,
    3_535_780, 3_584_254, 3_770_439, 3_773_504, 3_980_874, 9_256_479,
];
const TEST: [u32; 20] = [
    1_930_112, 1_981_276, 2_099_601, 2_110_063, 2_110_341, 2_116_738, 2_129_165, 2_219_486, 2_443_484, 2_871_525,
    3_127_925, 3_146_219, 3_272_010, 3_544_143, 3_775_546, 4_146_614, 4_149_813, 4_418_357, 4_522_168, 7_613_480,
];

/// The published split of a class of mini-ImageNet, named as in `n01532829`; none of other names.
pub(super) fn mini_split(name: &str) -> Option<Split> {
    let digits = name.strip_prefix('n').filter(|digits| digits.len() == 8)?;
    let number: u32 = digits.parse().ok()?;
    let lists: [(Split, &[u32]); 3] = [(Split::Train, &TRAIN), (Split::Validation, &VALIDATION), (Split::Test, &TEST)];
    lists.into_iter().find(|(_, list)| list.contains(&number)).map(|(split, _)| split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_listed_once() {
        let mut all: Vec<u32> = TRAIN.iter().chain(&VALIDATION).chain(&TEST).copied().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 100);
        assert_eq!(mini_split("n01532829"), Some(Split::Train));
        assert_eq!(mini_split("n01855672"), Some(Split::Validation));
        assert_eq!(mini_split("n07613480"), Some(Split::Test));
        assert_eq!(mini_split("n1532829"), None);
        assert_eq!(mini_split("house_finch"), None);
    }
}
