//! Task heads, gradient estimators, optimisers and the memory planner.
