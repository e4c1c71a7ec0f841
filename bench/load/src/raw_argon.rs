//! The limit of every login: argon2id with Carnet's parameters, one thread a core, nothing else.

use std::time::Instant;

use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::{Outcome, PIECE};

/// Hashes a second, all cores together.
pub(crate) fn per_second() -> Outcome<f64> {
    let cores = std::thread::available_parallelism()?.get();
    let threads: Vec<_> = (0..cores).map(|_| std::thread::spawn(hash_on)).collect();
    let mut rate = 0.0;
    for thread in threads {
        rate += thread.join().map_err(|_| "a hashing thread ended badly")??;
    }
    Ok(rate)
}

fn hash_on() -> Outcome<f64> {
    let params = Params::new(19_456, 2, 1, Some(32)).map_err(|error| error.to_string())?;
    let mut memory = vec![Block::default(); params.block_count()];
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (started, mut done, mut out) = (Instant::now(), 0_u32, [0; 32]);
    while started.elapsed() < PIECE {
        let hashed = argon.hash_password_into_with_memory(
            b"a long enough passphrase",
            b"sixteen byte salt",
            &mut out,
            &mut memory,
        );
        hashed.map_err(|error| error.to_string())?;
        done += 1;
    }
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}
