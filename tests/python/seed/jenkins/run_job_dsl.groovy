// Evaluates a Job DSL script and writes what it declares as a tree (JSON). The contexts below are those of the Job DSL
// plugin's API as far as the seed code needs them; a method that is not in its context ends the run with an error, as there.
//
// Arguments: script, JSON file with the variables of the seed job's build, file for the tree.
import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import org.codehaus.groovy.control.CompilerConfiguration

class Contexts {
    static final Map<String, List<String>> METHODS = [
        pipelineJob: ['description', 'disabled', 'keepDependencies', 'logRotator', 'parameters', 'properties', 'definition'],
        logRotator: ['daysToKeep', 'numToKeep', 'artifactDaysToKeep', 'artifactNumToKeep'],
        parameters: ['stringParam', 'credentialsParam', 'choiceParam'],
        credentialsParam: ['type', 'required', 'defaultValue', 'description'],
        properties: ['pipelineTriggers', 'disableConcurrentBuilds'],
        pipelineTriggers: ['triggers'],
        triggers: ['pollSCM'],
        pollSCM: ['scmpoll_spec', 'ignorePostCommitHooks'],
        definition: ['cpsScm'],
        cpsScm: ['scm', 'scriptPath', 'lightweight'],
        scm: ['git'],
        git: ['remote', 'branch', 'branches', 'extensions'],
        remote: ['url', 'credentials', 'name'],
        extensions: [],
    ]
}

class Node {
    String context
    List children = []

    def methodMissing(String name, arguments) {
        if (!(name in Contexts.METHODS[context])) throw new MissingMethodException(name, Node, arguments as Object[])
        List plain = arguments.findAll { !(it instanceof Closure) }.collect { it instanceof CharSequence ? it.toString() : it }
        Closure body = arguments.find { it instanceof Closure }
        children << [name: name, arguments: plain, children: body ? inside(name, body) : []]
        return null
    }

    static List inside(String context, Closure body) {
        Node node = new Node(context: context)
        body.delegate = node
        // The script's own functions and variables stay reachable; what is declared goes to the context.
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body()
        return node.children
    }
}

abstract class JobDsl extends Script {
    def pipelineJob(String name, Closure body) {
        binding.jobs << [name: name, children: Node.inside('pipelineJob', body)]
    }
}

def (script, variables, tree) = args.collect { new File(it) }
def binding = new Binding(new JsonSlurper().parse(variables))
binding.setVariable('jobs', [])
def shell = new GroovyShell(JobDsl.classLoader, binding, new CompilerConfiguration(scriptBaseClass: JobDsl.name))
shell.parse(script).run()
tree.text = JsonOutput.toJson(binding.jobs)
