// The covariance that queries are measured with, of class c with n members among N images:
//   Q_c = I + a Σ_{n in c} ẽ_n ẽ_nᵀ + b Σ_n x_n x_nᵀ        ẽ_n = e_n − μ_c,  x_n = e_n − μ
// λ_c = n / (n + 1) and both covariances are unbiased, so a = λ_c / (n − 1) and
// b = (1 − λ_c) / (N − 1). One member has no class covariance, one image no task covariance.

#import shared/grid.wgsl

// a
fn class_share(count: f32) -> f32 {
    return select(0.0, count / ((count + 1.0) * max(count - 1.0, 1.0)), count > 1.0);
}

// b
fn task_share(count: f32, support: u32) -> f32 {
    return select(0.0, 1.0 / ((count + 1.0) * max(f32(support) - 1.0, 1.0)), support > 1u);
}

// With D = b I + a P (P takes from each member of c the mean of its class) and X the rows x_n it is
// Q_c = I + Xᵀ D X. P is a projection, so √D = √b I + (√(a + b) − √b) P: row n of √D X is
// √b x_n, plus this factor times ẽ_n where n is of class c.
fn class_root(count: f32, support: u32) -> f32 {
    let b = task_share(count, support);
    return sqrt(class_share(count) + b) - sqrt(b);
}
