//! Runs every case on one native adapter.

use std::process::ExitCode;

use inkling_gpu::{Gpu, GpuOptions};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One at a time: an error that the device reports late then belongs to the case that is shown.
    arguments.test_threads.get_or_insert(1);
    if arguments.list {
        let trials = inkling_tests::cases().into_iter().map(|case| Trial::test(case.name, || Ok(()))).collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let gpu = match pollster::block_on(Gpu::new(&GpuOptions::default())) {
        Ok(gpu) => gpu,
        Err(error) => {
            eprintln!("error: {error}\nThe kernel tests never skip: on Debian or Ubuntu install mesa-vulkan-drivers.");
            return ExitCode::FAILURE;
        }
    };
    eprintln!("adapter: {} ({})", gpu.adapter().name, gpu.adapter().driver);
    let trials = inkling_tests::cases()
        .into_iter()
        .map(|case| {
            let gpu = gpu.clone();
            Trial::test(case.name, move || pollster::block_on((case.run)(&gpu)).map_err(Into::into))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
