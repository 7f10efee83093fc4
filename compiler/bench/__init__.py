"""MLPerf's scenarios on built targets: through LoadGen by the clock, or simulated in a target's modelled time."""
