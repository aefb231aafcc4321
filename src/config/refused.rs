//! Keywords of keepalived's blocks that are refused as a whole: their help, and so that they are not called unknown
//! where they are misplaced. One row of `word|default|meaning` a line; a block that is implemented leaves this list.

pub(super) const BLOCKS: &[(&str, &str)] = &[
    (
        "vrrp_script",
        "script|none|the command\n\
         interval|1 s|time between two runs\n\
         timeout|interval|time limit of a run\n\
         rise|1|runs that must succeed until it is up\n\
         fall|1|runs that must fail until it is down\n\
         user|script_user|user and group it runs as\n\
         init_fail|off|down until the first run\n\
         weight|0|change of the priority, -253 to 253; 0: FAULT while down",
    ),
    (
        "vrrp_track_process",
        "process|none|the command line to look for\n\
         param_match|exact|how its arguments are compared\n\
         quorum|1|how many must run, 1 to 65535\n\
         quorum_max|none|how many may run\n\
         delay|0 s|how long a change must last\n\
         terminate_delay|0 s|how long an end must last\n\
         fork_delay|0 s|how long a start must last\n\
         full_command|off|compare the whole command line\n\
         weight|1|change of the priority, -254 to 254",
    ),
    (
        "auth_hmac",
        "key|none|number, 1 to 255, and key\n\
         active_key|the first|number of the key that signs\n\
         time_window|3 adverts, at least 5 s|how old an advert may be, 1 to 300 s\n\
         anti_replay|time|how old adverts are told from new ones\n\
         mode|enforce|what becomes of adverts that are not signed",
    ),
    (
        "bfd_instance",
        "neighbor_ip|none|address of the other end\n\
         neighbour_ip|none|address of the other end\n\
         source_ip|the kernel's choice|address of this end\n\
         min_rx|10 ms|shortest time between packets received\n\
         min_tx|10 ms|shortest time between packets sent\n\
         idle_tx|1000 ms|time between packets while down, at least 1000 ms\n\
         multiplier|5|lost packets until it is down, 1 to 255\n\
         passive|off|wait for the other end to begin\n\
         ttl|255|time to live of packets sent, 1 to 255\n\
         hoplimit|64|the same for IPv6\n\
         max_hops|0|routers that may lie between, -1 to 255\n\
         multihop|off|routers lie between\n\
         weight|0|change of the priority, -253 to 253\n\
         vrrp|on|virtual routers use it\n\
         checker|on|checks use it",
    ),
    #[cfg(not(feature = "tls"))]
    (
        "SSL",
        "password|none|of the key\n\
         ca|none|file of certificates that are trusted\n\
         certificate|none|file of the own certificate\n\
         key|none|file of its key",
    ),
];
