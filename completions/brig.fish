# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_brig_global_optspecs
    string join \n root= log= log-format= debug systemd-cgroup rootless= v/version h/help
end

function __fish_brig_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_brig_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_brig_using_subcommand
    set -l cmd (__fish_brig_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c brig -n "__fish_brig_needs_command" -l root -d 'Where the state of containers is kept [default: /run/brig, or $XDG_RUNTIME_DIR/brig if not root]' -r -F
complete -c brig -n "__fish_brig_needs_command" -l log -d 'Append errors to this file [default: stderr]' -r -F
complete -c brig -n "__fish_brig_needs_command" -l log-format -d 'How the lines of the log look' -r -f -a "text\t''
json\t''"
complete -c brig -n "__fish_brig_needs_command" -l rootless -d 'Do without cgroups where none may be made; auto: if not root of the host' -r -f -a "true\t''
false\t''
auto\t'Unless the caller is root of the host'"
complete -c brig -n "__fish_brig_needs_command" -l debug -d 'Log what is done, too'
complete -c brig -n "__fish_brig_needs_command" -l systemd-cgroup -d 'Let systemd make the cgroups, as scopes; cgroupsPath is slice:prefix:name then'
complete -c brig -n "__fish_brig_needs_command" -s v -l version -d 'Print the version'
complete -c brig -n "__fish_brig_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brig -n "__fish_brig_needs_command" -f -a "spec" -d 'Make a config.json to start from, or check one'
complete -c brig -n "__fish_brig_needs_command" -f -a "plan" -d 'Print what create would do, step by step'
complete -c brig -n "__fish_brig_needs_command" -f -a "create" -d 'Set a container up; its program waits for start'
complete -c brig -n "__fish_brig_needs_command" -f -a "start" -d 'Let a created container run its program'
complete -c brig -n "__fish_brig_needs_command" -f -a "run" -d 'Create a container, start it and wait for its end'
complete -c brig -n "__fish_brig_needs_command" -f -a "exec" -d 'Run one more program in a container'
complete -c brig -n "__fish_brig_needs_command" -f -a "state" -d 'Print a container\'s state as JSON'
complete -c brig -n "__fish_brig_needs_command" -f -a "list" -d 'Print all containers'
complete -c brig -n "__fish_brig_needs_command" -f -a "ps" -d 'Print the processes of a container'
complete -c brig -n "__fish_brig_needs_command" -f -a "events" -d 'Print what a container uses, and when it runs out of memory'
complete -c brig -n "__fish_brig_needs_command" -f -a "pause" -d 'Freeze all processes of a container'
complete -c brig -n "__fish_brig_needs_command" -f -a "resume" -d 'Let the processes of a paused container go on'
complete -c brig -n "__fish_brig_needs_command" -f -a "update" -d 'Change the limits of a container'
complete -c brig -n "__fish_brig_needs_command" -f -a "checkpoint" -d 'Write a container\'s processes to images'
complete -c brig -n "__fish_brig_needs_command" -f -a "restore" -d 'Create a container out of images'
complete -c brig -n "__fish_brig_needs_command" -f -a "kill" -d 'Send a signal to a container'
complete -c brig -n "__fish_brig_needs_command" -f -a "delete" -d 'Remove a container that has ended'
complete -c brig -n "__fish_brig_needs_command" -f -a "features" -d 'Print what this brig can do here as JSON'
complete -c brig -n "__fish_brig_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brig -n "__fish_brig_using_subcommand spec" -s b -l bundle -d 'The directory to put it into' -r -F
complete -c brig -n "__fish_brig_using_subcommand spec" -l check -d 'Instead, print all that is wrong with this config.json, one mistake a line; "-" is stdin' -r -F
complete -c brig -n "__fish_brig_using_subcommand spec" -l rootless -d 'For an ordinary user, in a user namespace'
complete -c brig -n "__fish_brig_using_subcommand spec" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand plan" -s b -l bundle -d 'The bundle: a directory with a config.json' -r -F
complete -c brig -n "__fish_brig_using_subcommand plan" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand create" -s b -l bundle -d 'The bundle: a directory with a config.json' -r -F
complete -c brig -n "__fish_brig_using_subcommand create" -l console-socket -d 'Send the terminal\'s master to this socket' -r -F
complete -c brig -n "__fish_brig_using_subcommand create" -l pidfd-socket -d 'Send a pidfd of the process to this socket' -r -F
complete -c brig -n "__fish_brig_using_subcommand create" -l pid-file -d 'Write the pid of the process to this file' -r -F
complete -c brig -n "__fish_brig_using_subcommand create" -l preserve-fds -d 'Pass on this many open files, from 3 on' -r
complete -c brig -n "__fish_brig_using_subcommand create" -l no-pivot -d 'Change the root without pivot_root(2), for a root that is an initramfs; less safe'
complete -c brig -n "__fish_brig_using_subcommand create" -l no-new-keyring -d 'Leave it our session keyring instead of a new one'
complete -c brig -n "__fish_brig_using_subcommand create" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand start" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand run" -s b -l bundle -d 'The bundle: a directory with a config.json' -r -F
complete -c brig -n "__fish_brig_using_subcommand run" -l console-socket -d 'Send the terminal\'s master to this socket' -r -F
complete -c brig -n "__fish_brig_using_subcommand run" -l pidfd-socket -d 'Send a pidfd of the process to this socket' -r -F
complete -c brig -n "__fish_brig_using_subcommand run" -l pid-file -d 'Write the pid of the process to this file' -r -F
complete -c brig -n "__fish_brig_using_subcommand run" -l preserve-fds -d 'Pass on this many open files, from 3 on' -r
complete -c brig -n "__fish_brig_using_subcommand run" -l no-pivot -d 'Change the root without pivot_root(2), for a root that is an initramfs; less safe'
complete -c brig -n "__fish_brig_using_subcommand run" -l no-new-keyring -d 'Leave it our session keyring instead of a new one'
complete -c brig -n "__fish_brig_using_subcommand run" -s d -l detach -d 'Do not wait for the end'
complete -c brig -n "__fish_brig_using_subcommand run" -l keep -d 'Do not delete the container at its end'
complete -c brig -n "__fish_brig_using_subcommand run" -l no-subreaper -d 'Do not adopt processes whose parent ended'
complete -c brig -n "__fish_brig_using_subcommand run" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand exec" -l console-socket -d 'Send the terminal\'s master to this socket' -r -F
complete -c brig -n "__fish_brig_using_subcommand exec" -l pidfd-socket -d 'Send a pidfd of the process to this socket' -r -F
complete -c brig -n "__fish_brig_using_subcommand exec" -l pid-file -d 'Write the pid of the process to this file' -r -F
complete -c brig -n "__fish_brig_using_subcommand exec" -l preserve-fds -d 'Pass on this many open files, from 3 on' -r
complete -c brig -n "__fish_brig_using_subcommand exec" -l cgroup -d 'A cgroup below the container\'s own, for all or some controllers; may be repeated' -r
complete -c brig -n "__fish_brig_using_subcommand exec" -s p -l process -d 'The process as JSON, in place of all that follows' -r -F
complete -c brig -n "__fish_brig_using_subcommand exec" -l cwd -d 'The working directory' -r
complete -c brig -n "__fish_brig_using_subcommand exec" -s e -l env -d 'A variable of the environment; may be repeated' -r
complete -c brig -n "__fish_brig_using_subcommand exec" -s u -l user -d 'The user, and perhaps the group' -r
complete -c brig -n "__fish_brig_using_subcommand exec" -s g -l additional-gids -d 'One more group; may be repeated' -r
complete -c brig -n "__fish_brig_using_subcommand exec" -l process-label -d 'The SELinux label' -r
complete -c brig -n "__fish_brig_using_subcommand exec" -l apparmor -d 'The AppArmor profile' -r
complete -c brig -n "__fish_brig_using_subcommand exec" -s c -l cap -d 'One more capability; may be repeated' -r
complete -c brig -n "__fish_brig_using_subcommand exec" -s d -l detach -d 'Do not wait for the end'
complete -c brig -n "__fish_brig_using_subcommand exec" -l ignore-paused -d 'In a paused container, wait until it is resumed'
complete -c brig -n "__fish_brig_using_subcommand exec" -s t -l tty -d 'Make a new terminal for it'
complete -c brig -n "__fish_brig_using_subcommand exec" -l no-new-privs -d 'Let it gain no privileges'
complete -c brig -n "__fish_brig_using_subcommand exec" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand state" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand list" -s f -l format -d 'As a table or as JSON' -r -f -a "table\t''
json\t''"
complete -c brig -n "__fish_brig_using_subcommand list" -s q -l quiet -d 'The ids alone'
complete -c brig -n "__fish_brig_using_subcommand list" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand ps" -s f -l format -d 'As a table of the host\'s ps, or as JSON' -r -f -a "table\t''
json\t''"
complete -c brig -n "__fish_brig_using_subcommand ps" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand events" -l interval -d 'How often to print what it has used, such as 500ms or 1m30s' -r
complete -c brig -n "__fish_brig_using_subcommand events" -l stats -d 'Print what the container has used, once'
complete -c brig -n "__fish_brig_using_subcommand events" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand pause" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand resume" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand update" -s r -l resources -d 'Read the changes as JSON from a file, or "-" from stdin: the resources object of config.json, but for its devices' -r -F
complete -c brig -n "__fish_brig_using_subcommand update" -l blkio-weight -d 'Share of the bandwidth of disks, 10 to 1000' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l cpu-period -d 'Length of a period for --cpu-quota, in microseconds' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l cpu-quota -d 'Processor time in each period, in microseconds; -1 for no limit' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l cpu-burst -d 'Processor time that may be saved up and used at once, in microseconds' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l cpu-share -d 'Share of processor time, relative to others' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l cpu-rt-period -d 'Length of a real-time period, in microseconds' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l cpu-rt-runtime -d 'Real-time processor time in each period, in microseconds' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l cpuset-cpus -d 'Processors to use, such as 0-3,7' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l cpuset-mems -d 'Memory nodes to use, such as 0-1' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l cpu-idle -d '1 to get only processor time that nobody else wants' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l memory -d 'Memory, in bytes or with a unit such as 512m; -1 for no limit' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l memory-reservation -d 'Memory that is left to it when memory is short' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l memory-swap -d 'Memory and swap together; -1 for no limit' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l pids-limit -d 'Number of processes and threads; -1 for no limit' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l l3-cache-schema -d 'Which parts of the L3 cache its class of service may use, such as L3:0=f (Intel RDT)' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l mem-bw-schema -d 'Which part of the memory bandwidth its class of service may use, such as MB:0=50 (Intel RDT)' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l kernel-memory -d 'Has no effect, as in the kernel' -r
complete -c brig -n "__fish_brig_using_subcommand update" -l kernel-memory-tcp -d 'Has no effect' -r
complete -c brig -n "__fish_brig_using_subcommand update" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l image-path -d 'The directory of the images' -r -F
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l work-path -d 'The directory of the log and of what else is not an image [default: that of the images]' -r -F
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l manage-cgroups-mode -d 'What becomes of cgroups' -r -f -a "soft\t''
full\t''
strict\t''
ignore\t''"
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l empty-ns -d 'Leave out what is in a namespace; may be repeated' -r -f -a "network\t''"
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l parent-path -d 'The images of an earlier checkpoint, relative to --image-path: only what has changed since is written' -r -F
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l status-fd -d 'Write one NUL byte to this file once pages can be fetched (--lazy-pages)' -r
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l page-server -d 'The page server that takes the memory; with --lazy-pages, where it is handed out' -r
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l tcp-established -d 'TCP connections that are established too'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l ext-unix-sk -d 'UNIX sockets that are connected to the outside too'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l shell-job -d 'A terminal outside of the container too'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l file-locks -d 'File locks too'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l lazy-pages -d 'Memory that is moved on request'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l auto-dedup -d 'Remove from images what is not needed any more'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l leave-running -d 'Let the container run on'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l tcp-skip-in-flight -d 'Leave out TCP connections that are being made'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l link-remap -d 'Link files again that are open but were removed'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -l pre-dump -d 'Only the memory, while the container runs on'
complete -c brig -n "__fish_brig_using_subcommand checkpoint" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand restore" -l image-path -d 'The directory of the images' -r -F
complete -c brig -n "__fish_brig_using_subcommand restore" -l work-path -d 'The directory of the log and of what else is not an image [default: that of the images]' -r -F
complete -c brig -n "__fish_brig_using_subcommand restore" -l manage-cgroups-mode -d 'What becomes of cgroups' -r -f -a "soft\t''
full\t''
strict\t''
ignore\t''"
complete -c brig -n "__fish_brig_using_subcommand restore" -l empty-ns -d 'Leave out what is in a namespace; may be repeated' -r -f -a "network\t''"
complete -c brig -n "__fish_brig_using_subcommand restore" -s b -l bundle -d 'The bundle: a directory with a config.json' -r -F
complete -c brig -n "__fish_brig_using_subcommand restore" -l console-socket -d 'Send the terminal\'s master to this socket' -r -F
complete -c brig -n "__fish_brig_using_subcommand restore" -l pidfd-socket -d 'Send a pidfd of the process to this socket' -r -F
complete -c brig -n "__fish_brig_using_subcommand restore" -l pid-file -d 'Write the pid of the process to this file' -r -F
complete -c brig -n "__fish_brig_using_subcommand restore" -l preserve-fds -d 'Pass on this many open files, from 3 on' -r
complete -c brig -n "__fish_brig_using_subcommand restore" -l lsm-profile -d 'The security profile to have instead of the former one' -r
complete -c brig -n "__fish_brig_using_subcommand restore" -l lsm-mount-context -d 'The SELinux label for mounts instead of the former one' -r
complete -c brig -n "__fish_brig_using_subcommand restore" -l parent-path -d 'Has no effect: images know their parents' -r -F
complete -c brig -n "__fish_brig_using_subcommand restore" -l tcp-established -d 'TCP connections that are established too'
complete -c brig -n "__fish_brig_using_subcommand restore" -l ext-unix-sk -d 'UNIX sockets that are connected to the outside too'
complete -c brig -n "__fish_brig_using_subcommand restore" -l shell-job -d 'A terminal outside of the container too'
complete -c brig -n "__fish_brig_using_subcommand restore" -l file-locks -d 'File locks too'
complete -c brig -n "__fish_brig_using_subcommand restore" -l lazy-pages -d 'Memory that is moved on request'
complete -c brig -n "__fish_brig_using_subcommand restore" -l auto-dedup -d 'Remove from images what is not needed any more'
complete -c brig -n "__fish_brig_using_subcommand restore" -s d -l detach -d 'Do not wait for the end'
complete -c brig -n "__fish_brig_using_subcommand restore" -l no-subreaper -d 'Do not adopt processes whose parent ended'
complete -c brig -n "__fish_brig_using_subcommand restore" -l no-pivot -d 'Has no effect: the root is changed by CRIU'
complete -c brig -n "__fish_brig_using_subcommand restore" -l tcp-close -d 'Restore TCP connections as closed'
complete -c brig -n "__fish_brig_using_subcommand restore" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand kill" -s a -l all -d 'To all processes, not only the first'
complete -c brig -n "__fish_brig_using_subcommand kill" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand delete" -s f -l force -d 'Kill it if it still runs; that there is no such container is fine, too'
complete -c brig -n "__fish_brig_using_subcommand delete" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand features" -s h -l help -d 'Print help'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "spec" -d 'Make a config.json to start from, or check one'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "plan" -d 'Print what create would do, step by step'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "create" -d 'Set a container up; its program waits for start'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "start" -d 'Let a created container run its program'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "run" -d 'Create a container, start it and wait for its end'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "exec" -d 'Run one more program in a container'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "state" -d 'Print a container\'s state as JSON'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "list" -d 'Print all containers'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "ps" -d 'Print the processes of a container'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "events" -d 'Print what a container uses, and when it runs out of memory'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "pause" -d 'Freeze all processes of a container'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "resume" -d 'Let the processes of a paused container go on'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "update" -d 'Change the limits of a container'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "checkpoint" -d 'Write a container\'s processes to images'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "restore" -d 'Create a container out of images'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "kill" -d 'Send a signal to a container'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "delete" -d 'Remove a container that has ended'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "features" -d 'Print what this brig can do here as JSON'
complete -c brig -n "__fish_brig_using_subcommand help; and not __fish_seen_subcommand_from spec plan create start run exec state list ps events pause resume update checkpoint restore kill delete features help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
