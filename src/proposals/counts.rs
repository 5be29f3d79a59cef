//! What is counted on the way from maps to proposals.

/// What happened in one extraction, or in many: counts add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExtractCounts {
    /// Clusterings done.
    pub clusterings: usize,
    /// Clusterings left out because K was not below the number of cells.
    pub clusterings_skipped: usize,
    /// Maps whose eigenvectors did not reach `eigen_tolerance` (they are used as they are).
    pub maps_unconverged: usize,
    /// Filter (a): clusters that became part of a similar one.
    pub clusters_merged: usize,
    /// Filter (b): clusters in too many parts.
    pub clusters_noisy: usize,
    /// Connected parts under `region_size_min`.
    pub regions_small: usize,
    /// Regions that the filters below saw.
    pub regions_found: usize,
    /// Regions that became part of another by `overlap_merge` or `semantic_merge`.
    pub regions_merged: usize,
    /// Filter (c).
    pub regions_duplicate: usize,
    /// Filter (d).
    pub regions_nested: usize,
    /// Regions whose box is over `box_share_max`.
    pub regions_large: usize,
    /// Filter (e).
    pub regions_over_cap: usize,
    /// Regions with a zero vector.
    pub regions_without_direction: usize,
    /// Regions that became proposals.
    pub proposals: usize,
}

impl ExtractCounts {
    /// Adds the counts of another image.
    pub fn add(&mut self, other: &ExtractCounts) {
        self.clusterings += other.clusterings;
        self.clusterings_skipped += other.clusterings_skipped;
        self.maps_unconverged += other.maps_unconverged;
        self.clusters_merged += other.clusters_merged;
        self.clusters_noisy += other.clusters_noisy;
        self.regions_small += other.regions_small;
        self.regions_found += other.regions_found;
        self.regions_merged += other.regions_merged;
        self.regions_duplicate += other.regions_duplicate;
        self.regions_nested += other.regions_nested;
        self.regions_large += other.regions_large;
        self.regions_over_cap += other.regions_over_cap;
        self.regions_without_direction += other.regions_without_direction;
        self.proposals += other.proposals;
    }
}
