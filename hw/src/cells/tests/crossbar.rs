//! The crossbar and its look-ahead window.

use super::simulate_from_reset as simulate;
use crate::cells::{Crossbar, Window};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::Design;
use std::collections::VecDeque;

#[test]
fn the_window_reads_well() {
    let design = Design::elaborate(&Window { depth: 2, ports: 2, width: 3 }).expect("elaborates");
    insta::assert_snapshot!(design.verilog_text());
}

/// Every lane wants one port: each gets its share, words of a lane and port stay in order, none is lost.
#[test]
fn one_port_is_shared_fairly() {
    let mut sim = simulate(&Crossbar { lanes: 4, ports: 8, look_ahead: 4, width: 16 });
    let mut sent = [0u64; 4];
    let mut served = [0u64; 4];
    sim.set("space", 0xff);
    for cycle in 0..1000 {
        for (lane, sent) in sent.iter_mut().enumerate() {
            sim.set(&*format!("l{lane}_valid"), 1);
            sim.set(&*format!("l{lane}_to"), 1 << 5);
            sim.set(&*format!("l{lane}_data"), (lane as u64) << 14 | *sent);
            *sent += sim.get(&*format!("l{lane}_ready"));
        }
        if sim.get("p5_valid") == 1 {
            let word = sim.get("p5_data");
            let lane = (word >> 14) as usize;
            assert_eq!(word & 0x3fff, served[lane], "lane {lane} in order");
            served[lane] += 1;
        }
        sim.tick();
        assert_eq!(sim.failure(), None, "cycle {cycle}");
    }
    assert!(served.iter().sum::<u64>() > 980, "the port is busy: {served:?}");
    assert!(served.iter().all(|&s| (240..=255).contains(&s)), "{served:?}");
}

/// Random words to random ports whose space comes and goes: all arrive once, where they should.
#[test]
fn nothing_is_lost_and_space_is_kept() {
    let ports = 8;
    let mut sim = simulate(&Crossbar { lanes: 4, ports, look_ahead: 8, width: 16 });
    let mut rng = StdRng::seed_from_u64(4);
    let (mut pending, mut next) = (std::collections::BTreeMap::new(), 0u64);
    let mut offers = [None; 4];
    let mut spaces = VecDeque::from([u64::MAX; 4]);
    for _ in 0..4000 {
        let space = rng.random::<u64>() & rng.random::<u64>() & 0xff;
        sim.set("space", space);
        for (lane, offer) in offers.iter_mut().enumerate() {
            if offer.is_none() && next < 8000 {
                *offer = Some((next, rng.random_range(0..ports)));
                next += 1;
            }
            sim.set(&*format!("l{lane}_valid"), offer.is_some() as u64);
            if let Some((word, port)) = *offer {
                sim.set(&*format!("l{lane}_to"), 1 << port);
                sim.set(&*format!("l{lane}_data"), word);
                if sim.get(&*format!("l{lane}_ready")) == 1 {
                    pending.insert(word, port);
                    *offer = None;
                }
            }
        }
        for port in 0..ports {
            if sim.get(&*format!("p{port}_valid")) == 1 {
                assert_eq!(pending.remove(&sim.get(&*format!("p{port}_data"))), Some(port));
                // Granted three cycles ago, when there was space.
                assert_eq!(spaces[1] >> port & 1, 1);
            }
        }
        sim.tick();
        spaces.pop_front();
        spaces.push_back(space);
        assert_eq!(sim.failure(), None);
    }
    assert!(next > 3000, "{next} words");
    sim.set("space", 0xff);
    for _ in 0..100 {
        (0..4).for_each(|lane| sim.set(&*format!("l{lane}_valid"), 0));
        for port in 0..ports {
            if sim.get(&*format!("p{port}_valid")) == 1 {
                assert_eq!(pending.remove(&sim.get(&*format!("p{port}_data"))), Some(port));
            }
        }
        sim.tick();
    }
    assert!(pending.is_empty());
    assert_eq!(sim.get("active"), 0);
}
