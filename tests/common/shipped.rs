//! Every shipped config as a variant, all in one binary.
//!
//! `HZ3_BLESS=1 cargo test --test tables` writes this file anew from what `configs/` holds.

/// Calls a macro with all of them: `Name = "configs/name.toml", …`.
macro_rules! all {
    ($with:ident) => {
        $with! {
            CAdopt32 = "configs/adopt-32.toml",
            CBatchShort = "configs/batch-short.toml",
            CBorrowNone = "configs/borrow-none.toml",
            CChecked = "configs/checked.toml",
            CCompact = "configs/compact.toml",
            CDefault = "configs/default.toml",
            CDepotNone = "configs/depot-none.toml",
            CFlat = "configs/flat.toml",
            CFortress = "configs/fortress.toml",
            CFullStart = "configs/full-start.toml",
            CHardened = "configs/hardened.toml",
            CHistogram = "configs/histogram.toml",
            CHz3Fast = "configs/hz3-fast.toml",
            CHz3Ptag16 = "configs/hz3-ptag16.toml",
            CHz3Scale = "configs/hz3-scale.toml",
            CLate = "configs/late.toml",
            CPercpu = "configs/percpu.toml",
            CPrefetchNext = "configs/prefetch-next.toml",
            CProfile = "configs/profile.toml",
            CProfileAll = "configs/profile-all.toml",
            CRingEarly = "configs/ring-early.toml",
            CRingTable = "configs/ring-table.toml",
            CRingUnsorted = "configs/ring-unsorted.toml",
            CS22Round4k = "configs/s22-round4k.toml",
            CS23Colored = "configs/s23-colored.toml",
            CS23Geometric = "configs/s23-geometric.toml",
            CS23NinePages = "configs/s23-nine-pages.toml",
            CS23Seven = "configs/s23-seven.toml",
            CS23ShortBatch = "configs/s23-short-batch.toml",
            CS23Sub4k = "configs/s23-sub4k.toml",
            CS47Bank = "configs/s47-bank.toml",
            CS47Lowest = "configs/s47-lowest.toml",
            CS47None = "configs/s47-none.toml",
            CS47Pack = "configs/s47-pack.toml",
            CS47Quarantine = "configs/s47-quarantine.toml",
            CS47Relief = "configs/s47-relief.toml",
            CS47Ring = "configs/s47-ring.toml",
            CS47Segment = "configs/s47-segment.toml",
            CS47System = "configs/s47-system.toml",
            CS47Tight = "configs/s47-tight.toml",
            CS47Unlimited = "configs/s47-unlimited.toml",
            CSmallCode = "configs/small-code.toml",
            CStatsEvents = "configs/stats-events.toml",
            CTwoMagazines = "configs/two-magazines.toml",
            CTwoTables = "configs/two-tables.toml",
        }
    };
}
pub(crate) use all;

macro_rules! variants {
    ($($name:ident = $file:literal),+ $(,)?) => { $( hz3::variant!(pub $name = $file); )+ };
}
all!(variants);
